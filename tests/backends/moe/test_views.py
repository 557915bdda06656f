"""Texts through the shipped routers, token classes, live trainings, and what the tab's entry says and refuses."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from backends.lm import corpus, shelf
from backends.moe import answer, classes, collapse, plane, reading, views
from backends.moe.params import EXPERTS, MAX_TEXT, ROUTERS, MoeParams
from backends.moe.reading import read
from backends.moe.routers import route
from backends.plain import numbers

CODE = ("import os\n\n\ndef area(r: float) -> float:\n    # of a circle\n    return 3.14 * r**2 if r else 0  # never "
        "mind\n\nNAME = 'a b'\n")
SHORT = MoeParams(text=CODE * 3)


def tokens(params=SHORT):
    return reading.source(params)[0]


def test_windows_are_read_as_the_model_reads_them():
    model, own = shelf.routed("moe"), tokens()
    found = read(model, own)
    for at in range(0, len(own), 128):
        torch.testing.assert_close(found.logits[at : at + 128], model(own[None, at : at + 128])[0],
                                   atol=1e-5, rtol=1e-5)
    by_hand = F.cross_entropy(found.logits[:-1], own[1:])
    assert found.loss(own).mean().item() == pytest.approx(by_hand.item(), abs=1e-6)


def test_a_routed_layer_is_the_loop_over_tokens():
    model, own = shelf.routed("moe"), tokens()[:60]
    visit = read(model, own, lambda _, logits: route("gshard", logits, SHORT.rules)).visits[1]
    layer = model.blocks[visit.layer - 1].mlp
    for t in range(len(own)):
        y = torch.zeros(128)
        for e in range(EXPERTS):
            if visit.routed.kept[t, e]:
                y = y + visit.routed.gates[t, e] * (F.gelu(visit.hidden[t] @ layer.up[e]) @ layer.down[e])
        torch.testing.assert_close(visit.after[t] - visit.before[t], y, atol=1e-5, rtol=1e-4)


def test_a_token_that_no_expert_took_passes_unchanged():
    model, own = shelf.routed("moe"), tokens()
    none = replace(route("mixtral", torch.zeros(len(own), EXPERTS), reading.TRAINED),
                   kept=torch.zeros(len(own), EXPERTS, dtype=torch.bool))
    found = read(model, own[:100], lambda *_: replace(none, gates=none.gates[:100], kept=none.kept[:100]))
    x = model.embed(own[None, :100])
    for number, block in enumerate(model.blocks, 1):
        x = x + block.mixer(block.before(x))
        x = x if number in (2, 4) else x + block.mlp(block.between(x))
    torch.testing.assert_close(found.logits, F.linear(model.norm(x), model.embed.weight)[0])


@pytest.mark.parametrize("name", ROUTERS)
def test_a_disabled_expert_gets_nothing_and_the_rest_is_routed_without_it(name):
    logits = torch.randn(40, EXPERTS, generator=torch.Generator().manual_seed(0))
    rules = replace(SHORT.rules, updates=20)
    routed = reading.without(name, logits, rules, 3)
    assert not routed.wanted[:, 3].any() and not routed.gates[:, 3].any()
    keep = [e for e in range(EXPERTS) if e != 3]
    torch.testing.assert_close(routed.gates[:, keep], route(name, logits[:, keep], rules).gates)
    alone = reading.forced(logits, 5)
    assert alone.kept.sum() == 40 and (alone.gates[:, 5] == 1).all()


def test_layers_are_touched_one_at_a_time():
    both, second = (answer(replace(SHORT, touch="force", expert=1, layer=layer)).body for layer in ("both", "2"))
    assert [sum(k > 0 for k in layer.kept) for layer in both.layers] == [1, 1]
    first, other = (sum(k > 0 for k in layer.kept) for layer in second.layers)
    assert first == 1 < other
    assert both.loss > second.loss > second.trained


def test_labels_are_one_for_each_byte():
    text = "aé中\n\ud800"
    data = text.encode("utf-8", "replace")
    found = views.labels(data)
    assert len(found) == len(data) and "".join(found).replace("·", "") == "aé中\n?"
    assert views.labels(b"\xe4\xb8") == ("\ufffd", "\ufffd")


def test_token_classes_by_hand():
    found = classes.classes(CODE.encode())
    kinds = {word: {classes.CLASSES[c] for c in found[CODE.index(word) : CODE.index(word) + len(word)]}
             for word in ("import", "area", "->", "    # of", "# of a circle", "3.14", "**", "'a b'", "return", "NAME")}
    assert kinds == {"import": {"keyword"}, "area": {"identifier"}, "->": {"operator"},
                     "    # of": {"indent", "comment"},
                     "# of a circle": {"comment"}, "3.14": {"digit"}, "**": {"operator"}, "'a b'": {"string"},
                     "return": {"keyword"}, "NAME": {"identifier"}}
    assert classes.CLASSES[found[CODE.index("\n")]] == "space"


@pytest.mark.parametrize("text",
                         ["x = 'open\ny = 1\n", "für x in range(3):\n  nothing (\n", "]]]\n", "1abc \x00", "äöü = 1"])
def test_classes_of_any_text_have_its_length(text):
    data = text.encode()
    found = classes.classes(data)
    assert len(found) == len(data) and found.max() < len(classes.CLASSES)


def test_rough_classes_agree_with_the_tokenizer_on_plain_code():
    data = CODE.encode()
    rough = np.zeros(len(data), np.uint8)
    classes._roughly(data, rough, 0)
    assert (rough == classes.classes(data)).mean() > 0.97


def test_mutual_information_by_hand():
    assert classes.information(np.array([[5, 0], [0, 5]])) == pytest.approx(1.0)
    assert classes.information(np.array([[2, 4], [3, 6]])) == pytest.approx(0.0, abs=1e-12)
    joint = np.array([[3, 1], [1, 3]]) / 8
    assert classes.information(np.array([[3, 1], [1, 3]])) == pytest.approx(float((joint * np.log2(joint * 4)).sum()))
    kept, kinds = np.eye(8, dtype=bool)[np.arange(800) % 8], (np.arange(800) % 8).astype(np.uint8)
    assert classes.information(classes.table(kept, kinds)) == pytest.approx(3.0)
    assert classes.entropy(kinds) == pytest.approx(3.0)
    assert classes.shuffled(kept, kinds, 0).max() < 0.2
    assert classes.favourites(kept, kinds.astype(np.uint8))[4] == [4]


def test_shifted_classes_keep_their_runs_and_bytes_tell_what_classes_do_not():
    random = np.random.default_rng(0)
    kinds, text = (np.repeat(random.integers(0, 8, 400), 20).astype(np.uint8),
                   random.integers(0, 6, 8000).astype(np.uint8))
    runs, by_byte = np.eye(8, dtype=bool)[np.repeat(random.integers(0, 8, 400), 20)], np.eye(6, dtype=bool)[text]
    assert classes.shifted(runs, kinds, 0).mean() > 5 * classes.shuffled(runs, kinds, 0).mean()
    told, beyond, within = classes.bytewise(by_byte, text, kinds, 0)
    assert told == pytest.approx(classes.entropy(text), abs=1e-9) and abs(beyond) < 1e-9 and abs(within) < 1e-9
    told, beyond, within = classes.bytewise(np.eye(8, dtype=bool)[kinds], text, kinds, 0)
    assert told < 0.01 and beyond == pytest.approx(classes.entropy(kinds), abs=0.01) and within < 0.1
    kept = np.stack([text == 0, text != 0], 1)
    assert np.array_equal(classes.crossed(kept, text),
                          [np.bincount(text[part], minlength=6) for part in (text == 0, text > 0)])


def test_a_limit_s_price_is_told_from_the_rule_s():
    roomy, tight = (answer(replace(SHORT, router="switch", factor=factor)).body for factor in (4.0, 0.5))
    assert roomy.loss == roomy.unlimited == tight.unlimited < tight.loss
    curve = answer(replace(SHORT, view="capacity", router="switch")).body
    assert curve.unlimited == pytest.approx(roomy.unlimited) != curve.trained
    for trade in curve.trades:
        assert trade.loss[-1] == pytest.approx(curve.unlimited)
        room = [2 * max(1, int(f * len(tokens()) / 8 + 1e-9)) * 8 * 4 * 128 * 256 / len(tokens())
                for f in curve.factors]
        assert trade.flops == pytest.approx(room)


def test_the_opening_text_is_python_of_every_class_and_in_no_training_file():
    own = MoeParams().text
    compile(own, "opening", "exec")
    assert set(classes.classes(own.encode())) == set(range(len(classes.CLASSES)))
    assert own.splitlines()[4].encode() not in bytes(corpus.text(False).tolist())


def test_bfloat16_rounding_is_measured_against_float32():
    hidden, weight = torch.eye(4), torch.eye(4) * 0.5
    assert views.rounded(hidden, weight, 2)[0] < 0.004 and views.rounded(hidden, weight, 2)[2] == 0
    near = torch.tensor([[300.0, 300.4], [1.0, 2.0]])
    error, _mean, first, pair, z = views.rounded(near, torch.eye(2), 1)
    assert error == pytest.approx(torch.tensor(0.4).sigmoid().item() - 0.5, abs=1e-4) and first == pair == 0.5
    assert z == pytest.approx(near.logsumexp(-1).square().mean().item())


def test_the_plane_s_logits_are_nearest_first():
    x, c = plane.points(200, 1), torch.tensor(SHORT.prototypes)
    assert torch.equal(plane.logits(x, c, 5.0).argmax(-1), torch.cdist(x, c).argmin(-1))
    assert x.abs().max() <= 1 and not torch.equal(x, plane.points(200, 2))


def test_a_racer_s_step_is_the_plain_update():
    racer, batch = collapse.Racer(0.1, 2, 10, 0), corpus.windows(False, 4, 65, 0)
    logits, (routing,) = racer.model.run(batch[:, :-1])
    share = torch.bincount(routing.chosen.flatten(), minlength=EXPERTS) / routing.chosen.numel()
    loss, z, load = racer.step(batch)
    assert z == pytest.approx(routing.logits.logsumexp(-1).square().mean().item(), rel=1e-5)
    assert loss == pytest.approx(F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten()).item(), abs=1e-5)
    assert load == pytest.approx(share.tolist(), abs=1e-6)


def test_the_z_loss_and_not_the_balance_loss_keeps_the_logits_small():
    found = {}
    for weight, zeta in ((0.0, 0.0), (0.1, 0.0), (0.0, 0.01)):
        racer = collapse.Racer(weight, 2, 60, 0, zeta)
        for step in range(60):
            _, found[weight, zeta], _ = racer.step(corpus.windows(False, 4, 65, step))
    assert found[0.0, 0.01] < 0.4 * min(found[0.0, 0.0], found[0.1, 0.0])


def test_top_1_and_the_bias_race_by_their_own_rules():
    """Top-1 is Switch's, so its router learns from the loss alone; the bias follows the loads and nothing else."""
    params, batch = MoeParams(view="race", steps=25), corpus.windows(False, 4, 65, 0)
    top = collapse.racer("top1", params)
    top.weight = 0.0
    loss, routing = top.look(batch)
    loss.backward()
    assert routing.gates.shape[1] == 1 and routing.gates.max() < 1 and top.weight == 0
    assert top.layer.router.weight.grad.norm() > 1e-3 and collapse.racer("top1", params).weight == collapse.SWITCH
    free = collapse.racer("bias", params)
    _, routing = free.look(batch)
    load = torch.bincount(routing.chosen.flatten(), minlength=EXPERTS).float()
    free.step(batch)
    assert free.weight == 0 and torch.equal(free.layer.bias, collapse.SPEED * (load.mean() - load).sign())
    assert "Switch" in next(answer.stream(replace(params, alphas=("top1",)))).notice


def test_a_race_grows_and_can_be_left():
    race = answer.stream(MoeParams(view="race", steps=25, alphas=("0", "0.1")))
    first, second = next(race), next(race)
    assert first.body.courses[0].steps == (0,) and second.body.courses[1].steps == (0, 5) and not second.finished
    race.close()


@pytest.mark.parametrize("view", ["text", "classes", "capacity", "plane", "training", "precision", "calculator"])
def test_every_view_s_checks_hold_and_its_numbers_are_small(view):
    result = answer(replace(SHORT, view=view))
    assert result.finished and result.checks and all(check.ok for check in result.checks), result.checks
    assert len(json.dumps(numbers(result))) < 200_000


@pytest.mark.parametrize("name", ROUTERS)
@pytest.mark.parametrize("model", ["moe", "moe-free"])
def test_kept_and_dropped_are_all_that_was_asked(name, model):
    result = answer(replace(SHORT, router=name, model=model, factor=0.5, scope="window"))
    assert all(check.ok for check in result.checks)
    for layer in result.body.layers:
        assert sum(layer.asked) - sum(layer.kept) > 0 if ROUTERS[name].places else layer.asked == layer.kept
        assert layer.lost == int((layer.state == 2).sum()) == int((layer.main == views.NONE).sum())


def test_a_huge_text_is_read_and_a_larger_one_refused():
    assert answer(replace(SHORT, text="x = 1\n" * (MAX_TEXT // 6))).body.tokens == 6 * (MAX_TEXT // 6)
    with pytest.raises(ValueError, match="longer than 3600 bytes"):
        replace(SHORT, text="x" * (MAX_TEXT + 1))


@pytest.mark.parametrize(("change", "said"), [
    ({"k": 9}, "only 8 experts"), ({"k": 5, "view": "plane"}, "only 4 experts"),
    ({"factor": 0.0}, "capacity factor must be above 0"),
    ({"factor": math.nan}, "capacity factor"), ({"text": "x"}, "one byte"), ({"router": "best"}, "no router called"),
    ({"prototypes": ((0.0, 0.0),)}, "between 2 and 8"), ({"prototypes": ((0.0, 0.0), (2.0, 0.0))}, "between -1 and 1"),
    ({"alphas": ()}, "at least one balance weight"), ({"k": 0}, "at least one expert"),
    ({"context": 0}, "context must lie"),
    ({"public": "GPT"}, "not known here"), ({"expert": 8}, "between 0 and 7"),
])
def test_nonsense_is_refused_in_one_sentence(change, said):
    with pytest.raises(ValueError, match=said) as caught:
        answer(replace(SHORT, **change))
    assert str(caught.value).count(". ") == 0 and "\n" not in str(caught.value)


def test_what_is_said_of_the_input_and_the_rule():
    assert "held-out Python" in answer(MoeParams(text="")).notice and "held-out" not in answer(MoeParams()).notice
    assert "later ones too" in answer(replace(SHORT, router="free")).notice
    assert "later ones too" not in answer(replace(SHORT, router="free", updates=0)).notice
    assert "not causal" in answer(replace(SHORT, router="choice")).notice
    assert "by priority it is not causal" in answer(replace(SHORT, router="switch", order="priority")).notice
    assert "Switch top-1 is shown" in answer(replace(SHORT, view="capacity")).notice
