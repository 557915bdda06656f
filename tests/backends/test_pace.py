"""What a model will take is estimated from its files: held against the network itself, and against known speeds."""

import pytest

from backends import models, pace


@pytest.mark.parametrize("family", ["llama", "gpt_neox", "gemma3_text", "mixtral", "qwen3_moe"])
def test_a_model_s_size_is_that_of_the_network_without_the_experts_that_rest(shelved, family):
    name = shelved("small", family)
    found, network = pace.size(name), models.load(name).network
    experts = sum(x.numel() for key, x in network.named_parameters() if ".experts." in key)
    whole = sum(x.numel() for x in network.parameters())
    assert found.numbers == pytest.approx(whole - experts / 2, rel=0.02)       # of four experts two work
    assert (found.layers, found.width) == (4, 32) and (experts > 0) == ("m" in family[:1] or "moe" in family)
    assert pace.size("folder:none") is None


def test_time_grows_with_the_numbers_the_tokens_and_what_is_behind_them(monkeypatch):
    monkeypatch.setattr(pace, "speeds", lambda: (1e9, 1e8))
    size = pace.Size(5e6, 2, 100)
    assert pace.seconds(size, 100) == pytest.approx(1.0 + 0.04)
    assert pace.seconds(size, 1000) == pytest.approx(10.0 + 4.0) and pace.seconds(size, 1000, 3) == pytest.approx(22.0)
    assert [pace.worded(x)[:11] for x in (0.4, 14, 200, 7200)] == ["", "About 14 s ", "About 3 min", "About 2.0 h"]


def test_the_machine_is_measured_once_a_minute(monkeypatch):
    now, asked = [0.0], []
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    measured = pace.minutely(lambda: asked.append(1) or len(asked))
    assert [measured(), measured()] == [1, 1]
    now[0] = 61.0
    assert measured() == 2
    monkeypatch.undo()
    assert all(speed > 1e6 for speed in pace.speeds())
