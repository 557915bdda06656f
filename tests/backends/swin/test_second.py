"""Swin V2's block against loops in float64, timm's and torchvision's own blocks and timm's whole network; its norms,
scale and bias."""
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from timm.models.swin_transformer_v2 import SwinTransformerV2, SwinTransformerV2Block
from torchvision.models.swin_transformer import SwinTransformerBlockV2

from backends.swin import answer, changes, merging, second, small
from backends.swin.attend import Projections
from backends.swin.geometry import ORDERS, layout
from backends.swin.params import SwinParams
from tests.backends.swin import naive

C, HEADS = 12, 3
MAPS = [(14, 14), (7, 14), (16, 16), (9, 20), (5, 5)]


@pytest.fixture(autouse=True)
def gradients_off():
    with torch.no_grad():
        yield


def drawn(size):
    """A block whose norms and scales differ from those it starts with, and a map."""
    x = torch.randn(*size, C, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    block = second.drawn(3, C, HEADS, x)
    norms = tuple((1 + 0.3 * x[0, 0], 0.2 * x[-1, -1]) for _ in range(2))
    scale = torch.tensor([1.0, 3.0, 9.0], dtype=torch.float64).view(3, 1, 1)        # the last one is clamped
    return replace(block, norms=norms, scale=scale), x


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [(8, 8), (5, 9), (3, 6)])
def test_the_block_is_that_of_loops(size, order):
    block, x = drawn(size)
    one, a = layout(size, 4, 2, order), block.attention
    arrays = [v.numpy() for v in (a.qkv, a.qkv_bias, a.out, a.out_bias)]
    inner, outer = [v.numpy() for v in block.inner], block.outer.numpy()
    scales = [min(math.exp(v), 100) for v in block.scale.flatten().tolist()]
    def attended(at):
        def bias_of(head, dy, dx):
            return naive.position(dy, dx, one.window, inner, outer)[head]
        return naive.attend(at, *arrays, bias_of, HEADS, (4, 4), (2, 2), order, True, scales)[0]
    pairs = [[[v.numpy() for v in pair] for pair in group] for group in (block.norms, block.mlp)]
    truth = naive.second(x.numpy(), attended, *pairs)
    np.testing.assert_allclose(second.after(x, block, one).numpy(), truth, atol=1e-10)


@pytest.mark.parametrize("size", MAPS)
@pytest.mark.parametrize("shift", [0, 3])
def test_the_block_is_timm_s_on_every_map(size, shift):
    block, x = drawn(size)
    theirs, a = SwinTransformerV2Block(C, size, HEADS, 7, shift), block.attention
    bias = {"attn.q_bias": a.qkv_bias[:C], "attn.v_bias": a.qkv_bias[2 * C:]}
    mlp = second.linears(("mlp.fc1", "mlp.fc2"), block.mlp)
    theirs.load_state_dict(second.named(block) | bias | mlp)
    expected = theirs.double().eval()(x[None])[0]
    # timm keeps its coordinates as float32
    torch.testing.assert_close(second.after(x, block, layout(size, 7, shift)), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [*MAPS, (5, 16)])
@pytest.mark.parametrize("shift", [0, 3])
def test_the_block_is_torchvision_s_on_every_map(size, shift):
    block, x = drawn(size)
    theirs = SwinTransformerBlockV2(C, HEADS, [7, 7], [shift, shift])
    mine = second.named(block) | second.linears(("mlp.0", "mlp.3"), block.mlp)
    mine |= {"attn.qkv.bias": block.attention.qkv_bias}
    theirs.load_state_dict(theirs.state_dict() | mine)
    expected = theirs.double().eval()(x[None])[0]
    torch.testing.assert_close(second.after(x, block, layout(size, 7, shift, "torchvision")), expected, atol=1e-5,
                               rtol=0)


def of_timm(block):
    """The weights of a timm block."""
    a = block.attn
    bias = torch.cat([a.q_bias, a.k_bias, a.v_bias])
    def pair(m):
        return m.weight, m.bias
    weights = Projections(a.qkv.weight, bias, *pair(a.proj), bias.new_zeros(1, a.num_heads), (1, 1))
    return second.Block(weights, a.logit_scale, pair(a.cpb_mlp[0]), a.cpb_mlp[2].weight,
                        (pair(block.norm1), pair(block.norm2)), (pair(block.mlp.fc1), pair(block.mlp.fc2)))


def test_a_whole_network_is_timm_s():
    torch.manual_seed(0)
    model = SwinTransformerV2(img_size=(72, 56), embed_dim=16, depths=(2, 2, 2), num_heads=(2, 4, 4), window_size=4,
                              num_classes=0).double().eval()
    for p in model.parameters():
        p.add_(0.3 * torch.randn_like(p))                # res-post-norm starts from norms of zero
    x = torch.randn(1, 3, 72, 56, dtype=torch.float64)
    y = model.patch_embed(x)[0]
    for stage in model.layers:
        if hasattr(stage.downsample, "reduction"):
            d = stage.downsample
            y = merging.merge_after(y, d.norm.weight, d.norm.bias, d.reduction.weight)
        for block in stage.blocks:
            y = second.after(y, of_timm(block), layout(tuple(y.shape[:2]), tuple(block.window_size),
                                                       tuple(block.target_shift_size)))
    expected = model.forward_features(x)[0]
    torch.testing.assert_close(model.norm(y), expected, atol=1e-4 * float(expected.abs().max()), rtol=0)


def test_the_scale_is_clamped_at_100_and_the_bias_lies_between_0_and_16():
    assert second.clamped(torch.tensor([0.0, math.log(10), 9.0])).tolist() == pytest.approx([1, 10, 100])
    block, _ = drawn((8, 8))
    wild = second.table(tuple(50 * v for v in block.inner), 50 * block.outer, (4, 4), (4, 4))
    assert wild.shape == (49, HEADS) and float(wild.min()) >= 0 and float(wild.max()) <= 16


def test_what_comes_after_the_norm_does_not_care_how_large_the_output_weights_are():
    block, x = drawn((8, 8))
    one, large = layout((8, 8), 4, 2), second.enlarged(block, 100.0)
    plain, grown = (second.after(x, b, one) for b in (block, large))
    torch.testing.assert_close(plain, grown, atol=1e-3, rtol=0)
    sizes = [float(second.before(x, b, one).square().mean().sqrt()) for b in (block, large)]
    assert sizes[1] > 20 * sizes[0]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("rows", "columns"), [(14, 14), (5, 9), (1, 24), (16, 13)])
def test_the_view_s_checks_hold_on_every_map(order, rows, columns):
    result = answer(SwinParams(view="cosine", rows=rows, columns=columns, order=order, gain=4.0, depth=3))
    assert {c.name: c.ok for c in result.checks if "mask separates" not in c.name} and all(
        c.ok for c in result.checks if "mask separates" not in c.name)
    body = result.body.lesson
    assert len(body.before) == len(body.after) == 4 and body.plain[1] == pytest.approx(body.after, abs=1e-3)


def test_the_check_of_growth_can_fail(monkeypatch):
    monkeypatch.setattr(second, "after", second.before)
    names = {c.name: c.ok for c in answer(SwinParams(view="cosine", gain=16.0)).checks}
    assert not names["A block adds at most 2"] and not names["The block is that of timm"]


def test_the_scale_of_the_view_is_clamped():
    body = answer(SwinParams(view="cosine", scale=200.0)).body.lesson
    assert body.scale == pytest.approx(100) and 90 < max(body.largest_cosine) <= 100.001
    assert changes.CHANNELS == small.WIDTHS[-1] and max(body.made) <= 16
