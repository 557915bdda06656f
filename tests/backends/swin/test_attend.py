"""Window attention against loops in float64, timm's blocks and torchvision's function; Swin V2's coordinates and
cosine."""
import math

import numpy as np
import pytest
import torch
from timm.models.swin_transformer import SwinTransformerBlock
from timm.models.swin_transformer_v2 import WindowAttention as WindowAttentionV2
from torchvision.models.swin_transformer import shifted_window_attention
from transformers import SwinConfig
from transformers.models.swin.modeling_swin import SwinAttention, SwinLayer

from backends.swin import attend, relative
from backends.swin.geometry import ORDERS, PAD, layout
from tests.backends.swin import naive

C, HEADS = 12, 3
MAPS = [(14, 14), (7, 14), (16, 16), (9, 20), (5, 5)]


def block_of(size, window=4, shift=2, dtype=torch.float64):
    """A timm block whose bias can be seen, and a map."""
    torch.manual_seed(0)
    block = SwinTransformerBlock(C, size, num_heads=HEADS, window_size=window,
                                 shift_size=shift).to(dtype).eval().requires_grad_(False)
    for p in block.attn.parameters():
        p.normal_(0, 0.5)
    return block, torch.randn(*size, C, dtype=dtype)


def torchvision_of(x, w, shift):
    """torchvision's function with the same weights; its window stays as it is on small maps."""
    bias = relative.bias(w.table, w.window).unsqueeze(0)
    biases = {"qkv_bias": w.qkv_bias, "proj_bias": w.out_bias}
    return shifted_window_attention(x[None], w.qkv, w.out, bias, list(w.window), HEADS, list(shift), **biases)[0]


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [(8, 8), (5, 9), (3, 6)])
def test_attention_is_that_of_loops(size, order, masked):
    block, x = block_of((8, 8))
    w, one = attend.projections(block.attn), layout(size, 4, 2, order)
    x = x[: size[0], : size[1]] if size[1] <= 8 else torch.randn(*size, C, dtype=x.dtype)
    table = relative.resized(w.table, w.window, one.window).view(2 * one.window[0] - 1, 2 * one.window[1] - 1, HEADS)
    def bias_of(head, dy, dx):
        return table[dy + one.window[0] - 1, dx + one.window[1] - 1, head].item()
    arrays = [a.numpy() for a in (w.qkv, w.qkv_bias, w.out, w.out_bias)]
    y, rows = naive.attend(x.numpy(), *arrays, bias_of, HEADS, (4, 4), (2, 2), order, masked)
    np.testing.assert_allclose(attend.attend(x, w, one, masked).numpy(), y, atol=1e-12)
    q, k, _ = attend.split(attend.gathered(x, one), w)
    p = attend.soften(attend.scores(q, k), relative.bias(table.flatten(0, 1), one.window), one, masked)
    token = (size[0] - 1, 1)
    window, place = one.places[token[0] * size[1] + token[1]]
    for key, source in enumerate(one.windows[window]):
        if source != PAD:
            truth = rows[token][1, divmod(int(source), size[1])]
            assert p[window, 1, place, key].item() == pytest.approx(truth, abs=1e-12)
    padding = attend.share(p, attend.on_padding(one))[window, 1, place].item()
    assert padding == pytest.approx(rows[token].get((1, None), 0), abs=1e-12)


@pytest.mark.parametrize(("size", "shift"), [((14, 14), 0), *((size, 3) for size in MAPS), ((1, 1), 0)])
def test_timm_s_order_is_timm_s_block_on_every_map(size, shift):
    block, x = block_of(size, 7, shift)
    one = layout(size, 7, shift)
    mine = attend.attend(x, attend.projections(block.attn), one)
    torch.testing.assert_close(mine, block._attn(x[None])[0], atol=1e-12, rtol=0)


@pytest.mark.parametrize(("size", "shift"), [*((size, 3) for size in MAPS), ((5, 16), 3), ((1, 1), 0)])
def test_torchvision_s_order_is_torchvision_s_function_on_every_map(size, shift):
    block, _ = block_of((14, 14), 7, 3)
    x, w = torch.randn(*size, C, dtype=torch.float64), attend.projections(block.attn)
    mine = attend.attend(x, w, layout(size, 7, shift, "torchvision"))
    torch.testing.assert_close(mine, torchvision_of(x, w, (shift, shift)), atol=1e-12, rtol=0)


class Nothing(torch.nn.Module):
    """An MLP that adds nothing."""

    def forward(self, x):
        return torch.zeros_like(x)


@pytest.mark.parametrize("size", [*MAPS, (7, 21), (15, 6), (1, 1)])
def test_microsoft_s_order_is_transformers_layer_on_every_map(size):
    one = layout(size, 7, 3, "microsoft")
    block, _ = block_of(one.window, one.window[0], 0)
    w = attend.projections(block.attn)
    config = SwinConfig(window_size=7, hidden_dropout_prob=0.0)
    layer = SwinLayer(config, C, size, HEADS, shift_size=3)
    layer.attention = SwinAttention(config, C, HEADS, one.window[0])        # as Microsoft's, after the rule
    layer.layernorm_before, layer.mlp = torch.nn.Identity(), Nothing()
    layer.double().eval().requires_grad_(False)
    parts = {f"{name}_proj.{kind}": value for kind, whole in (("weight", w.qkv), ("bias", w.qkv_bias))
             for name, value in zip(("q", "k", "v"), whole.chunk(3))}
    layer.attention.load_state_dict(parts | {"o_proj.weight": w.out, "o_proj.bias": w.out_bias,
                                             "relative_position_bias.relative_position_bias_table": w.table})
    x = torch.randn(*size, C, dtype=torch.float64)
    theirs = layer(x.reshape(1, -1, C), size)[0].view(*size, C) - x
    # transformers' softmax is float32
    torch.testing.assert_close(attend.attend(x, w, one), theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("size", "same"), [((14, 14), True), ((7, 14), True), ((16, 16), False), ((14, 16), False)])
def test_the_libraries_agree_exactly_where_the_window_divides_the_map(size, same):
    block, _ = block_of((14, 14), 7, 3)
    x, w = torch.randn(*size, C, dtype=torch.float64), attend.projections(block.attn)
    gap = (attend.attend(x, w, layout(size, 7, 3)) - attend.attend(x, w, layout(size, 7, 3, "torchvision"))).abs().max()
    assert (gap == 0) if same else (gap > 0.1)


def test_a_constant_map_stays_constant_and_gathering_comes_back():
    _, x = block_of((9, 11))
    one = layout((9, 11), 4, 2)
    assert torch.equal(attend.scattered(attend.gathered(x, one), one), x)
    torch.testing.assert_close(attend.per_token(torch.ones(len(one.windows), 2, 16), one), torch.ones(2, 9, 11))


def test_cosine_is_that_of_timm_s_v2_with_its_first_scale():
    torch.manual_seed(0)
    module = WindowAttentionV2(C, (4, 4), HEADS).double().eval().requires_grad_(False)
    assert math.exp(module.logit_scale[0].item()) == pytest.approx(attend.COSINE)
    module.logit_scale.fill_(math.log(attend.COSINE))
    x, seen = torch.randn(2, 16, C, dtype=torch.float64), []
    module.softmax.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    module(x)
    q, k, _ = module.qkv(x).unflatten(-1, (3, HEADS, -1)).movedim(-3, 0).transpose(-3, -2)
    position = 16 * torch.sigmoid(module.cpb_mlp(module.relative_coords_table).view(-1, HEADS))
    expected = attend.scores(q, k, "cosine") + relative.bias(position, (4, 4))
    torch.testing.assert_close(expected, seen[0], atol=1e-9, rtol=0)
    assert attend.scores(q * 50, k, "cosine").abs().max() <= attend.COSINE + 1e-9


@pytest.mark.parametrize(("window", "trained"), [(8, 8), (16, 8), (7, 7), (1, 1)])
def test_log_coordinates_are_timm_s(window, trained):
    module = WindowAttentionV2(C, (window, window), HEADS, pretrained_window_size=(trained, trained))
    table = module.relative_coords_table[0, :, 0, 0].numpy()
    np.testing.assert_allclose(relative.log_coordinates(window, trained), table, atol=1e-6)


def test_log_coordinates_leave_the_trained_range_by_less():
    ranges = [(f(16, 8), f(8, 8)) for f in (relative.linear_coordinates, relative.log_coordinates)]
    linear, log = (relative.stretch(*pair) for pair in ranges)
    assert linear == pytest.approx(8 / 7) and 0.3 < log < 0.34


def test_made_up_tables_say_what_their_names_say():
    near = relative.bias(relative.near((5, 5), 2), (5, 5))
    assert near[0, 12, 12] == 0 and near[1, 12, 0] == pytest.approx(-0.5 * math.hypot(2, 2))
    assert torch.equal(near, near.mT)
    rows = relative.bias(relative.stripes((5, 5), 2), (5, 5))[0]
    assert (rows[12].view(5, 5)[2] == 0).all() and (rows[12].view(5, 5)[[0, 1, 3, 4]] < 0).all()
