"""Real models under the methods: tiny random networks that are written to disk, against what transformers itself makes
of them."""
import importlib
import json

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from backends import checkpoints
from backends.rope import calculator, jobs, lengths, local, real
from backends.rope.methods import METHODS, ON_ROPE, Rules
from tests.families import FAMILIES, TOKENS, written

L, D, N = 64, 8, 200
UNCAPPED = [name for name in FAMILIES if name not in ("gemma2", "gpt_oss")]


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return written(tmp_path_factory.mktemp("llama"))


def chosen(folder, window=16, **rules):
    return real.setup(checkpoints.load(folder), window=window, **rules)


def theirs(folder, tokens, block=None, positions=None):
    """Losses of the last 64 tokens by transformers alone, with another rope_parameters block."""
    eager = {"attn_implementation": "eager"}
    network = AutoModelForCausalLM.from_pretrained(folder, **eager).eval()
    if block is not None:
        config = network.config
        config.rope_parameters, config.max_position_embeddings = block, positions
        network = AutoModelForCausalLM.from_pretrained(folder, config=config, **eager).eval()
    logits = network(tokens[:, :-1]).logits[:, -64:]
    return F.cross_entropy(logits.transpose(1, 2), tokens[:, -64:], reduction="none").detach()


@pytest.mark.parametrize("name", calculator.CALCULATED)
def test_a_method_gives_what_transformers_makes_of_its_block(llama, name):
    rules = Rules(trained=L, tau=4.0, window=16)
    row = calculator.calculate(D, 10_000.0, L, N, (name,), rules).rows[0]
    loss, right = lengths.last_losses(chosen(llama, tau=4.0), TOKENS, name)
    truth = theirs(llama, TOKENS, row.block, row.positions)
    assert right.shape == (2, 64) and (loss - truth).abs().max() < 2e-3
    assert name == "none" or (truth - theirs(llama, TOKENS)).abs().max() > 0.02


@pytest.mark.parametrize("name", [name for name in ON_ROPE if name not in calculator.CALCULATED])
def test_what_no_block_can_say_runs_and_changes_nothing_within_the_window(llama, name):
    far, inside = (lengths.last_losses(chosen(llama, window=24), TOKENS[:, -n:], name)[0] for n in (N + 1, L + 1))
    assert (far - theirs(llama, TOKENS)).abs().max() > 0.02
    wide = lengths.last_losses(chosen(llama, window=L), TOKENS[:, -L - 1 :], name)[0]
    assert (wide - theirs(llama, TOKENS[:, -L - 1 :])).abs().max() < 2e-3 and inside.isfinite().all()


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_reads_as_configured(tmp_path, name):
    setup = chosen(written(tmp_path, name))
    loss, _ = lengths.last_losses(setup, TOKENS, jobs.CONFIGURED)
    assert (loss - theirs(tmp_path, TOKENS)).abs().max() < 2e-3
    with pytest.raises(ValueError, match="caps its scores") if name not in UNCAPPED else memoryview(b""):
        assert lengths.last_losses(setup, TOKENS, "rerope")[0].isfinite().all()


@pytest.mark.parametrize("name", [name for name in UNCAPPED if name not in ("llama-llama3", "llama-linear")])
def test_keys_that_are_kept_unrotated_are_turned_as_the_family_turns_them(tmp_path, name):
    """Channels that do not turn, layers that do not, windows, two bases: the way of the methods that need unrotated
    keys, with clocks that are untouched, is the model itself."""
    more = {} if name != "deepseek_v3" else {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}
    setup = chosen(written(tmp_path, name, **more), window=N + 1)
    for method in ("none", "rerope"):
        loss, _ = lengths.last_losses(setup, TOKENS, method)
        assert (loss - theirs(tmp_path, TOKENS)).abs().max() < 2e-3
    changed = (lengths.last_losses(setup, TOKENS, "pi")[0] - loss).abs().max() > 0.01
    assert changed or name == "mistral-windowed"          # no layer of it sees past what it was trained on


@pytest.mark.parametrize("name", ["llama", "gemma3_text"])
def test_dynamic_ntk_grows_with_the_text(tmp_path, name, monkeypatch):
    """The growing one knows nothing of what comes later; with keys under old clocks it is another, but only past the
    trained length, and where keys can be kept rotated."""
    setup = chosen(written(tmp_path, name))
    monkeypatch.setattr(real, "PIECE", 40)
    anew, old = (real.all_losses(setup, TOKENS[0], one)[0] for one in (jobs.ANEW, jobs.CACHED))
    assert torch.allclose(anew[:40], old[:40], atol=1e-4)
    by_hand = real.all_losses(setup, TOKENS[0, :161], jobs.ANEW)[0]
    assert torch.allclose(by_hand, anew[:160], atol=1e-4)
    assert ((anew - old)[80:].abs().max() > 0.01) == (name == "llama")


def test_channels_that_turn_become_the_outer_pairs():
    assert real.arranged(8, 0, 8) == [*range(8)]
    assert real.arranged(8, 0, 4) == [0, 1, 4, 5, 2, 3, 6, 7] and real.arranged(8, 4, 4) == [4, 5, 0, 1, 6, 7, 2, 3]


def test_the_curve_grows_over_the_same_tokens(llama):
    setup = real.setup(checkpoints.load(llama))
    assert (setup.rules.window, setup.rules.trained, setup.rules.base, setup.rules.tau) == (16, 64, 10_000.0, 8.0)
    text = TOKENS.flatten()
    found = list(lengths.curve(setup, text, ("none", "rerope"), (192, 64, 128), samples=2))
    shares = [share for *_, share in found]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == pytest.approx(1)
    steps = list({sum(len(line.lengths) for line in step.lines): step for step, *_ in found}.values())
    assert [sum(len(line.lengths) for line in step.lines) for step in steps] == list(range(7))
    last = steps[-1]
    assert last.plan == (64, 128, 192) and last.samples == 2 and local._newest(steps[2])["method"] == "rerope"
    ends = [len(text), 193]
    by_hand, plain = ([lengths.last_losses(setup, text[None, e - size - 1 : e], name)[0].mean().item() for e in ends]
                      for name, size in (("rerope", 128), ("none", 64)))
    effects = [found - own for found, own in zip(by_hand, plain)]
    assert last.lines[1].loss[1] == pytest.approx(sum(by_hand) / 2, abs=1e-5)
    assert last.lines[1].loss_low[1] == pytest.approx(sum(by_hand) / 2 + min(effects) - sum(effects) / 2, abs=1e-5)


@pytest.mark.parametrize(("change", "said"), [
    ({"model_type": "bert"}, "not known here; known are llama, mistral"), ({"hidden_size": 64}, "do not fit")])
def test_other_checkpoints_are_refused_in_a_sentence(llama, tmp_path, change, said):
    for file in llama.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ValueError, match=said):
        checkpoints.load(tmp_path)


def test_missing_files_and_wrong_wishes_are_said_in_a_sentence(llama, tmp_path):
    with pytest.raises(ValueError, match=r"no config\.json"):
        checkpoints.load(tmp_path)
    (tmp_path / "config.json").write_bytes((llama / "config.json").read_bytes())
    with pytest.raises(ValueError, match="no weights that can be read"):
        checkpoints.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((llama / "model.safetensors").read_bytes())
    with pytest.raises(ValueError, match="no tokenizer"):
        checkpoints.load(tmp_path)
    setup = chosen(llama)
    with pytest.raises(ValueError, match="'keynorm' cannot be run on this model; known are configured, none, pi"):
        next(lengths.curve(setup, TOKENS[0], ("keynorm",)))
    with pytest.raises(ValueError, match="40 tokens"):
        next(lengths.curve(setup, TOKENS[0, :40], ("none",)))


def test_plain_pickles_load_and_others_do_not(llama, tmp_path):
    for file in llama.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    state = importlib.import_module("safetensors.torch").load_file(llama / "model.safetensors")
    torch.save(state, tmp_path / "pytorch_model.bin")
    ours, same = checkpoints.load(tmp_path).network.state_dict(), checkpoints.load(llama).network.state_dict()
    assert all(torch.equal(ours[key], same[key]) for key in same)
    torch.save({"model.norm.weight": METHODS["none"]}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="no weights that can be read"):
        checkpoints.load(tmp_path)
