"""Rollout against dense matrices made by loops, the network's sizes against hooks, and the scale of attention maps."""
import numpy as np
import pytest
import timm
import torch

from backends import images
from backends.swin import answer, capture, look, network, rollout
from backends.swin.params import SwinParams
from tests.backends.swin import naive

ODD = {"img_size": (72, 56), "embed_dim": 16, "depths": (2, 2, 2), "num_heads": (2, 4, 4), "window_size": 4,
       "num_classes": 0}
FAMILIES = ("swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "swinv2_cr_tiny_ns_224")
PLACES = [(0.0, 0.0), (1.0, 1.0), (0.5, 0.31), (0.93, 0.05)]


def made(name, **more):
    torch.manual_seed(0)
    return timm.create_model(name, **ODD | more).eval().requires_grad_(False)


def sharp(model):
    """Maps of a noisy picture, of weights large enough that attention is not even."""
    for _, _, block in capture.blocks(model):
        block.attn.qkv.weight.mul_(8)
    return capture.capture(model, torch.randn(1, 3, 72, 56))


def dense(maps):
    """The rollouts of all tokens of the last block, by loops and products of whole matrices."""
    size = maps[0].layout.size
    product = np.eye(size[0] * size[1] + 1)
    for one in maps:
        if one.layout.size != size:
            product, size = naive.merging(size) @ product, one.layout.size
        product = naive.flow(one.weights.double().numpy(), size, one.layout.window, one.layout.shift) @ product
    return product


@pytest.mark.parametrize("name", FAMILIES)
def test_rollout_is_the_product_of_dense_matrices(name):
    maps = sharp(made(name))
    truth = dense(maps)
    np.testing.assert_allclose(truth.sum(1), 1, atol=1e-6)
    rows, columns = maps[-1].layout.size
    assert maps[0].layout.padded != maps[0].layout.size and (rows, columns) == (5, 4)
    for token in ((0, 0), (4, 3), (2, 1)):
        row, lost = rollout.rollout([(rollout.mean(m), m.layout) for m in maps], token)
        expected = truth[token[0] * columns + token[1]]
        np.testing.assert_allclose(row.flatten().numpy(), expected[:-1], atol=1e-6)
        assert lost == pytest.approx(expected[-1], abs=1e-6) and lost > 0


def test_every_block_has_its_rollout_and_rows_sum_to_one():
    maps = sharp(made(FAMILIES[0]))
    for place in PLACES:
        rows = list(rollout.every([(rollout.mean(m), m.layout) for m in maps], place))
        assert len(rows) == 6 and all(float(row.sum()) + lost == pytest.approx(1, abs=1e-5) for row, lost in rows)
        size = maps[3].layout.size
        token = tuple(min(int(p * n), n - 1) for p, n in zip(place, size))
        again, _ = rollout.rollout([(rollout.mean(m), m.layout) for m in maps[:4]], token)
        assert torch.equal(rows[3][0], again)


def test_equal_weights_reach_what_the_windows_allow_and_sum_to_one():
    maps = sharp(made(FAMILIES[0]))
    for one in maps:
        even = rollout.equal(one)
        assert torch.allclose(even.sum(-1), torch.ones(())) and not even[torch.from_numpy(one.layout.blocked)].any()


def test_a_merge_gives_each_patch_an_equal_part():
    row = torch.tensor([[4.0, 2.0], [2.0, 1.0]])
    assert rollout.apart(row, (3, 3)).tolist() == [[1, 1, 1], [1, 1, 1], [1, 1, 1]]
    assert rollout.apart(row, (4, 4))[0].tolist() == [1, 1, 0.5, 0.5]


def test_the_view_is_the_rollout_of_the_shipped_model_and_its_checks_can_fail(monkeypatch):
    params = SwinParams(view="rollout", map_block=6, picture="horse", y=0.3, x=0.75)
    result = answer(params)
    body = result.body.lesson
    assert all(check.ok for check in result.checks) and len(body.flows) == 8 and body.chosen == 5
    assert body.real.sum() == pytest.approx(1, abs=1e-5) and body.flows[5].reached == int((body.equal > 0).sum())
    assert body.flows[5].moved == pytest.approx(np.abs(body.real - body.equal).sum() / 2, abs=1e-5)
    assert [flow.reached for flow in body.flows] == sorted(flow.reached for flow in body.flows)
    monkeypatch.setattr(rollout, "mean", lambda maps: torch.full_like(maps.weights[:, 0], 0.02))
    assert not any(check.ok for check in answer(params).checks)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", [(72, 56), (64, 64), (52, 100)])
def test_the_network_s_sizes_and_its_work_are_those_that_run(name, size):
    model = made(name, img_size=size)
    reader = capture.Reader("mine", f"{name} {size}", model, size)
    image = np.random.default_rng(0).integers(0, 255, (90, 80, 3), np.uint8)
    maps, _ = look.looked(reader, image)
    parts = list(network.parts(model, maps))
    assert [p.kind for p in parts] == ["embed", *["block"] * 2, *["merge", "block", "block"] * 2]
    assert [p.number for p in parts if p.kind == "block"] == [1, 2, 3, 4, 5, 6]
    assert sum(p.work for p in parts) == network.counted(reader, image)
    shapes = []
    hooks = [m.register_forward_hook(lambda _, args, out: shapes.append(tuple(out.shape[1:])))
             for _, _, m in capture.blocks(model)]
    model.forward_features(reader.normalised(reader.picture(image)))
    assert [(*p.size, p.channels) for p in parts if p.kind == "block"] == shapes
    for hook in hooks:
        hook.remove()


def test_the_network_of_the_page_has_a_check_that_can_fail(monkeypatch):
    result = answer(SwinParams(view="network", map_block=99))
    assert result.body.lesson.chosen == 8 and result.checks[0].ok and not result.body.lesson.after
    monkeypatch.setattr(network, "_bias", lambda attention: 1)
    assert not answer(SwinParams(view="network")).checks[0].ok


def test_a_map_s_weights_times_its_visible_places_are_one_on_average():
    body = answer(SwinParams(view="model", picture="horse", y=0.02, x=0.98)).body.lesson
    maps = capture.capture(capture.shipped().model, capture.shipped().normalised(
        capture.shipped().picture(images.sample("horse"))))
    for row, one in zip(body.blocks, maps, strict=True):
        window, place = one.layout.places[row.token[0] * row.map[1] + row.token[1]]
        assert row.visible == int((~one.layout.blocked[window, place]).sum()) >= row.inside[0] * row.inside[1]
        assert row.weights.sum((1, 2)) == pytest.approx(1, abs=1e-5)             # the shipped model has no padding
        p = one.weights[window, :, place].double()
        truth = [float(torch.special.xlogy(q, q).sum().neg().exp()) / row.visible for q in (p.mean(0), *p)]
        assert [head.share for head in row.heads] == pytest.approx(truth, abs=1e-5)
        assert all(0 < head.share <= 1 + 1e-6 for head in row.heads)
