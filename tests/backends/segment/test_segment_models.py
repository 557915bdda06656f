"""How models come in: the registry, official files, and every way in which a file can be wrong."""
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backends import weights
from backends.segment import MODELS, Segmenter, SegmentError, models
from backends.segment.tinyvit import build_mobile_sam

PATCHES, MOBILE_KEY = "image_encoder.patch_embed.proj.weight", "image_encoder.layers.0.blocks.0.conv1.c.weight"


@pytest.fixture(autouse=True)
def _empty_modules():
    models.MODULES.clear()


@pytest.fixture
def vit_file(tmp_path, make_sam, monkeypatch):
    """A file in the format of sam_vit_b_01ec64.pth, for a vit_b that is built small."""
    monkeypatch.setitem(MODELS, "vit_b", replace(MODELS["vit_b"], build=make_sam))
    monkeypatch.setitem(models.VIT_WIDTHS, 64, "vit_b")
    path = tmp_path / "sam_vit_b.pth"
    torch.save(make_sam(seed=5).state_dict(), path)
    return path


def changed(path, **edits):
    """A copy of a checkpoint with keys replaced, or removed where the new value is None."""
    state = {k: v for k, v in (torch.load(path, weights_only=True) | edits).items() if v is not None}
    other = path.with_name(f"changed-{len(list(path.parent.iterdir()))}.pth")
    torch.save(state, other)
    return other


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h", "mobile_sam"])
def test_the_registry_states_true_sizes_and_tells_checkpoints_apart(name):
    with torch.device("meta"):
        sam = MODELS[name].build()
    assert round(sum(p.numel() for p in sam.parameters()) / 1e6, 1) == MODELS[name].parameters
    assert sam.image_encoder.img_size == MODELS[name].side and models.infer(sam.state_dict()) == name


def test_the_shipped_model_is_in_the_registry():
    sam = MODELS["tiny"].build()
    assert round(sum(p.numel() for p in sam.parameters()) / 1e6, 1) == MODELS["tiny"].parameters
    assert sam.image_encoder.img_size == MODELS["tiny"].side and models.infer(sam.state_dict()) == "tiny"


def test_an_official_mobile_sam_file_loads_strictly(tmp_path, make_scene):
    torch.manual_seed(0)
    official, path = build_mobile_sam(), tmp_path / "mobile_sam.pt"
    torch.save(official.state_dict(), path)
    s = Segmenter(path, "cpu")
    assert s.name == "mobile_sam.pt" and s.digest == weights.digest_of(path)
    loaded = s.sam.state_dict()
    assert all(torch.equal(v, loaded[k]) for k, v in official.state_dict().items()) and not s.sam.training
    e = s.embed(make_scene(30, 40))
    assert e.features.shape == (1, 256, 64, 64) and s.predict(e, [[3, 4]], [1]).masks.shape == (3, 30, 40)


def test_an_official_vit_file_loads_and_predicts_like_the_model_that_wrote_it(vit_file, make_sam, make_noise):
    a, b, image = Segmenter(vit_file, "cpu"), Segmenter.of(make_sam(seed=5), "original"), make_noise(40, 60)
    one, two = (s.predict(s.embed(image), [[3, 4]], [1]) for s in (a, b))
    assert (one.masks != two.masks).mean() < 1e-3
    np.testing.assert_allclose(one.logits, two.logits, rtol=1e-3, atol=1e-3)
    assert not any(p.requires_grad for p in a.sam.parameters())


def test_half_precision_files_are_widened_to_float32(tmp_path, vit_file):
    half = {k: v.half() for k, v in torch.load(vit_file, weights_only=True).items()}
    save_file(half, tmp_path / "half.safetensors")
    assert {p.dtype for p in Segmenter(tmp_path / "half.safetensors", "cpu").sam.parameters()} == {torch.float32}


def test_one_module_is_shared_by_the_whole_process(vit_file):
    a, b = Segmenter(vit_file, "cpu"), Segmenter(vit_file, "cpu")
    assert a.sam is b.sam and len(models.MODULES) == 1


def test_making_a_segmenter_reads_nothing(monkeypatch):
    monkeypatch.setattr(weights, "load", lambda name: pytest.fail("read"), raising=False)
    monkeypatch.setattr(weights, "entry", lambda name: pytest.fail("read"), raising=False)
    assert Segmenter("vit_h", "cpu").name == "vit_h"


def test_a_named_model_comes_from_the_manifest_with_its_digest(monkeypatch, vit_file, make_sam):
    monkeypatch.setattr(weights, "entry", lambda name: SimpleNamespace(sha256=f"digest of {name}"), raising=False)
    monkeypatch.setattr(weights, "load", lambda name: make_sam(seed=7).state_dict(), raising=False)
    s = Segmenter("vit_b", "cpu")
    wanted = make_sam(seed=7).mask_decoder.iou_token.weight
    assert s.digest == "digest of vit_b" and torch.equal(s.sam.mask_decoder.iou_token.weight, wanted)


def test_a_named_file_with_another_digest_is_refused_and_the_loaded_model_goes_on(monkeypatch, vit_file, make_noise):
    true = weights.Entry("vit_b", vit_file.stat().st_size, weights.digest_of(vit_file), "none", "vit_b",
                         file=vit_file.name)
    monkeypatch.setattr(weights, "FOLDER", vit_file.parent)
    monkeypatch.setattr(weights, "manifest", lambda: (true,))
    good, image = Segmenter("vit_b", "cpu"), make_noise(20, 20)
    e = good.embed(image)
    monkeypatch.setattr(weights, "manifest", lambda: (replace(true, sha256="0" * 64),))
    with pytest.raises(weights.WeightsError, match="SHA-256 differs"):
        Segmenter("vit_b", "cpu").embed(image)
    assert good.embed(image).cached and good.predict(e, [[3, 4]], [1]).masks.shape == (3, 20, 20)


def test_an_unknown_name_is_refused_at_once():
    with pytest.raises(SegmentError, match="no model or checkpoint file called 'sam9'; the models are tiny, vit_b"):
        Segmenter("sam9")
    for name in ("", "a" * 9999, "nul\0", "."):
        with pytest.raises(SegmentError, match="no model or checkpoint"):
            Segmenter(name)


TOKEN = "mask_decoder.iou_token.weight"
BROKEN = {
    "a missing key": ({TOKEN: None}, f"1 keys are missing and 0 are not known .first: {TOKEN} is missing"),
    "an extra key": ({"extra": torch.zeros(1)}, "0 keys are missing and 1 are not known .first: extra is not known"),
    "a wrong shape": ({TOKEN: torch.zeros(1, 3)}, r"iou_token.weight has shape \(1, 3\), not \(1, 64\)"),
    "a wrong type": ({TOKEN: torch.zeros(1, 64, dtype=torch.int64)}, "holds torch.int64"),
    "no encoder": ({PATCHES: None}, "is no checkpoint of tiny, vit_b"),
    "an unknown width": ({PATCHES: torch.zeros(7, 3, 16, 16)}, "is no checkpoint of"),
    "another architecture": ({MOBILE_KEY: torch.zeros(1), PATCHES: None}, "does not fit mobile_sam"),
    "half of the names of transformers": ({PATCHES: None, "vision_encoder.layers.0.x": torch.zeros(1)},
                                          "is no checkpoint of tiny, vit_b"),
}


@pytest.mark.parametrize("case", list(BROKEN))
def test_a_checkpoint_that_does_not_fit_is_refused_and_the_loaded_model_goes_on(vit_file, make_noise, case):
    edits, message = BROKEN[case]
    good = Segmenter(vit_file, "cpu")
    e = good.embed(make_noise(40, 60))
    before = good.predict(e, [[3, 4]], [1])
    with pytest.raises(SegmentError, match=message) as caught:
        Segmenter(changed(vit_file, **edits), "cpu").embed(make_noise(40, 60))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
    after = Segmenter(vit_file, "cpu")
    assert after.sam is good.sam and np.array_equal(after.predict(e, [[3, 4]], [1]).masks, before.masks)


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "another text"])
def test_a_file_that_cannot_be_read_is_refused(vit_file, damage, make_noise):
    data = {"truncated": vit_file.read_bytes()[:5000], "text": b"hello", "empty": b"",
            "another text": b"broken"}[damage]
    bad = vit_file.with_name("bad.pth")
    bad.write_bytes(data)
    with pytest.raises((weights.WeightsError, SegmentError)) as caught:
        Segmenter(bad, "cpu").embed(make_noise(20, 20))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_a_file_that_failed_can_be_tried_again_after_it_is_mended(vit_file, make_noise):
    good, s = vit_file.read_bytes(), Segmenter(vit_file, "cpu")
    vit_file.write_bytes(b"broken")
    with pytest.raises((weights.WeightsError, SegmentError)):
        s.embed(make_noise(20, 20))
    vit_file.write_bytes(good)
    assert Segmenter(vit_file, "cpu").embed(make_noise(20, 20)).size == (20, 20)
