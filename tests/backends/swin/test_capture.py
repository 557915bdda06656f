"""Captured attention: of every block, of all three families, also when fused attention is on; rows that are where they
belong."""
import threading

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import set_fused_attn

from backends.swin import attend, capture, relative
from backends.swin.geometry import PAD
from backends.weights import WeightsError

SMALL = {"img_size": 64, "embed_dim": 16, "depths": (2, 2), "num_heads": (2, 4), "num_classes": 0}
ODD = {**SMALL, "img_size": (72, 56), "window_size": 4}


def made(name, **more):
    torch.manual_seed(0)
    return timm.create_model(name, **more).eval().requires_grad_(False)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "swinv2_cr_tiny_ns_224"])
def test_every_block_of_every_family_is_captured_and_rows_sum_to_one(name):
    model, size = made(name, **ODD), ODD["img_size"]
    before = model.forward_features(torch.ones(1, 3, *size))
    maps = capture.capture(model, torch.ones(1, 3, *size))
    assert [(m.stage, m.block) for m in maps] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert maps[0].layout.size == (18, 14) and maps[0].layout.padded == (20, 16)
    assert any(m.layout.shift[0] for m in maps)
    for m in maps:
        assert m.weights.shape[:1] == (len(m.layout.windows),) and torch.allclose(m.weights.sum(-1), torch.ones(()))
        blocked = torch.from_numpy(m.layout.blocked).unsqueeze(1)
        assert float((m.weights * blocked).max()) < 1e-30
    assert torch.equal(model.forward_features(torch.ones(1, 3, *size)), before)


def test_all_twelve_blocks_of_swin_t():
    maps = capture.capture(made("swin_tiny_patch4_window7_224", num_classes=0), torch.zeros(1, 3, 224, 224))
    assert len(maps) == 12 and maps[0].weights.shape == (64, 3, 49, 49) and maps[2].weights.shape == (16, 6, 49, 49)


def test_fused_attention_is_switched_off_per_module():
    set_fused_attn(True, experimental=True)
    try:
        model = made("swin_tiny_patch4_window7_224", **SMALL)
    finally:
        set_fused_attn(True)
    assert model.layers[0].blocks[0].attn.fused_attn
    assert len(capture.capture(model, torch.zeros(1, 3, 64, 64))) == 4


def test_what_is_captured_is_the_softmax_of_our_own_attention():
    model = made("swin_tiny_patch4_window7_224", **ODD)
    inputs = []
    block = model.layers[0].blocks[1]
    hook = block.attn.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    maps = capture.capture(model, torch.randn(1, 3, *ODD["img_size"]))[1]
    hook.remove()
    w = attend.projections(block.attn)
    q, k, _ = attend.split(inputs[0], w)
    mine = attend.soften(attend.scores(q, k), relative.bias(w.table, w.window), maps.layout)
    torch.testing.assert_close(mine, maps.weights)


def test_a_row_lies_where_its_window_lies():
    model = made("swin_tiny_patch4_window7_224", **ODD)
    maps = capture.capture(model, torch.randn(1, 3, *ODD["img_size"]))[1]
    for place in ((0.0, 0.0), (0.999, 0.999), (1.0, 1.0), (0.5, 0.31)):
        row = capture.row(maps, place)
        assert row.token == tuple(min(int(p * n), n - 1) for p, n in zip(place, row.size)) and row.inside[row.token]
        np.testing.assert_allclose((row.weights.sum((1, 2)) + row.padding).numpy(), 1, atol=1e-6)
        window, inner = maps.layout.places[row.token[0] * row.size[1] + row.token[1]]
        for at, source in enumerate(maps.layout.windows[window]):
            if source != PAD:
                assert row.weights[0].flatten()[source] == maps.weights[window, 0, inner, at]


def test_two_threads_do_not_mix_their_pictures():
    model, found = made("swin_tiny_patch4_window7_224", **SMALL), {}
    def work(k):
        found[k] = [capture.capture(model, torch.full((1, 3, 64, 64), float(k))) for _ in range(3)]
    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for step in ("start", "join"):
        for thread in threads:
            getattr(thread, step)()
    assert all(len(maps) == 4 for runs in found.values() for maps in runs)
    again = {k: capture.capture(model, torch.full((1, 3, 64, 64), float(k))) for k in found}
    assert all(torch.equal(a.weights, b.weights) for k, runs in found.items() for maps in runs
               for a, b in zip(maps, again[k]))


def test_own_weights_are_read_and_others_are_refused(tmp_path):
    name = "swin_tiny_patch4_window7_224"
    model = made(name, num_classes=10)
    file = tmp_path / "mine.safetensors"
    save_file(model.state_dict(), file)
    reader = capture.own(file, name)
    assert reader.size == (224, 224) and torch.equal(reader.model.head.fc.weight, model.head.fc.weight)
    assert reader.picture(np.zeros((30, 50, 3), np.uint8)).shape == (224, 224, 3)
    with pytest.raises(capture.CaptureError, match=r"^These weights do not fit .*"):
        capture.own(file, "swin_small_patch4_window7_224")
    with pytest.raises(capture.CaptureError, match="architecture"):
        capture.own(file, "resnet50")
    (tmp_path / "mine.pth").write_bytes(b"not tensors")
    with pytest.raises(WeightsError, match="safetensors"):
        capture.own(tmp_path / "mine.pth", name)
