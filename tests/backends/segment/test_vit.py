"""SAM's encoder in pieces: the features of segment_anything's own, whatever the pieces, grids and precision."""
import copy

import pytest
import torch
from segment_anything.modeling import ImageEncoderViT

from backends.segment import vit


def encoder(side=160, window=3, **more):
    torch.manual_seed(0)
    made = ImageEncoderViT(img_size=side, patch_size=16, embed_dim=48, depth=3, num_heads=3, out_chans=16,
                           use_rel_pos=True, window_size=window, global_attn_indexes=(1,), **more)
    for name, p in made.named_parameters():
        if "rel_pos" in name or "pos_embed" in name:
            torch.nn.init.normal_(p, std=0.5)
    return made.eval().requires_grad_(False)


@pytest.mark.parametrize("piece", [1, 4000, 40_000, 1 << 24])
@pytest.mark.parametrize("window", [3, 5, 14])
def test_features_are_those_of_the_original_whatever_the_pieces(monkeypatch, piece, window):
    monkeypatch.setitem(vit.PIECE, "cpu", piece)
    monkeypatch.setattr(vit, "TOKENS", 37)
    original = encoder(window=window)
    ours = vit.in_pieces(copy.deepcopy(original))
    x = torch.randn(2, 3, 160, 160)
    wanted = original(x)
    assert {type(b) for b in ours.blocks} == {vit.CachedBlock}
    assert ours.state_dict().keys() == original.state_dict().keys()
    assert (ours(x) - wanted).norm() / wanted.norm() < 1e-5


def test_attention_is_its_definition_in_float64():
    torch.manual_seed(0)
    (m, h, w, d), scale = (2, 3, 4, 5), 0.4
    q, k, v = torch.randn(3, m, h * w, d, dtype=torch.float64)
    rows, columns = torch.randn(h, h, d, dtype=torch.float64), torch.randn(w, w, d, dtype=torch.float64)
    wanted = torch.empty_like(v)
    for i in range(m):
        for a in range(h * w):
            scores = torch.stack([scale * q[i, a] @ k[i, b] + q[i, a] @ rows[a // w, b // w]
                                  + q[i, a] @ columns[a % w, b % w] for b in range(h * w)])
            wanted[i, a] = scores.softmax(0) @ v[i]
    torch.testing.assert_close(vit.attention(q, k, v, rows, columns, scale), wanted)


def test_half_precision_goes_through(monkeypatch):
    original = encoder()
    x = torch.randn(1, 3, 160, 160)
    with torch.autocast("cpu", torch.bfloat16):
        half = vit.in_pieces(copy.deepcopy(original))(x).float()
    assert (half - original(x)).norm() / original(x).norm() < 0.05


def test_a_block_without_positions_stays():
    plain = ImageEncoderViT(img_size=32, depth=1, embed_dim=16, num_heads=2)
    assert {type(block).__name__ for block in vit.in_pieces(plain).blocks} == {"Block"}
