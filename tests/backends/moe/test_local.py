"""The command line on checkpoints of one's own: what it prints and what it refuses."""

import json

import pytest

from backends.moe import local
from tests.families import written


def printed(folder, text, monkeypatch, capsys, *more):
    file = folder / "text.txt"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["local", str(folder), str(file), *more])
    local.main()
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_layers_are_printed_by_the_networks_own_numbers(tmp_path, monkeypatch, capsys):
    folder = written(tmp_path, "qwen2_moe", decoder_sparse_step=2, mlp_only_layers=[])
    first, *layers, last = printed(folder, "Hi there", monkeypatch, capsys)[:4]
    assert first["tokens"] == 8 and first["pooled"] == pytest.approx(first["aux_loss"], rel=0.01)
    assert [(row["layer"], row["module"]) for row in layers] == [(2, "model.layers.1.mlp"), (4, "model.layers.3.mlp")]
    assert [sum(row["loads"]) for row in layers] == [16, 16]
    assert last["token"] == "H" and [len(last["experts"][at]) for at in ("2", "4")] == [2, 2]


def test_deepseek_is_read_and_reports_no_aux_loss(tmp_path, monkeypatch, capsys):
    rows = printed(written(tmp_path, "deepseek_v3"), "Hi there", monkeypatch, capsys, "--device", "cpu")
    assert rows[0]["aux_loss"] is None and [row["layer"] for row in rows[1:4]] == [2, 3, 4] and len(rows) == 12


def test_other_folders_are_refused_in_a_sentence(tmp_path, monkeypatch, capsys):
    with pytest.raises(ValueError, match=r"no config\.json"):
        local.load(tmp_path)
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(ValueError, match="not JSON"):
        local.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ValueError, match="'llama' is not known here"):
        local.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mixtral", "hidden_size": 32}))
    with pytest.raises(ValueError, match="no weights that can be read"):
        local.load(tmp_path)
    with pytest.raises(SystemExit):
        printed(tmp_path, "Hi", monkeypatch, capsys, "--device", "nothing")
    assert "Unknown device" in capsys.readouterr().err
