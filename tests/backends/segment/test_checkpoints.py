"""Checkpoints as other programs write them: wrapped, prefixed, of transformers, and relatives that cannot run."""
import gc
import sys
import types
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backends import weights
from backends.segment import MODELS, Segmenter, SegmentError, models

DIM, SIDE = 64, 256


@pytest.fixture(autouse=True)
def small_vit_b(monkeypatch, make_sam):
    models.MODULES.clear()
    monkeypatch.setitem(MODELS, "vit_b", replace(MODELS["vit_b"], build=make_sam))
    monkeypatch.setitem(models.VIT_WIDTHS, DIM, "vit_b")


def answer(segmenter, image):
    return segmenter.predict(segmenter.embed(image), [[30, 40]], [1])


@pytest.mark.parametrize("wrap", [
    lambda s: {"model": s}, lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"lr": 0.1}},
    lambda s: {f"module.{k}": v for k, v in s.items()},
    lambda s: {"model": {"state_dict": {f"module.sam.{k}": v for k, v in s.items()}}},
], ids=["model", "state_dict", "module", "all"])
def test_what_training_wraps_around_is_taken_off(tmp_path, make_sam, make_noise, wrap):
    sam = make_sam(seed=5)
    torch.save(wrap(sam.state_dict()), tmp_path / "mine.pth")
    one, two = (answer(s, make_noise(60, 80)) for s in (Segmenter(tmp_path / "mine.pth", "cpu"),
                                                       Segmenter.of(make_sam(seed=5), "original")))
    np.testing.assert_allclose(one.logits, two.logits, rtol=1e-3, atol=1e-3)


def test_prefixes_go_in_safetensors_too(tmp_path, make_sam):
    state = make_sam(seed=5).state_dict()
    save_file({f"module.{k}": v.clone() for k, v in state.items()}, tmp_path / "mine.safetensors")
    loaded = Segmenter(tmp_path / "mine.safetensors", "cpu").sam.state_dict()
    assert all(torch.equal(v, loaded[k]) for k, v in state.items())


@pytest.fixture
def of_transformers():
    from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig
    vision = SamVisionConfig(hidden_size=DIM, output_channels=DIM, num_hidden_layers=2, num_attention_heads=4,
                             image_size=SIDE, window_size=14, global_attn_indexes=[1], mlp_dim=4 * DIM,
                             num_pos_feats=DIM // 2)
    prompts = SamPromptEncoderConfig(hidden_size=DIM, image_size=SIDE, image_embedding_size=SIDE // 16)
    decoder = SamMaskDecoderConfig(hidden_size=DIM, mlp_dim=128, num_attention_heads=4, iou_head_hidden_dim=DIM)
    torch.manual_seed(3)
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)
    model = SamModel(config).eval().requires_grad_(False)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    return model


def test_a_checkpoint_of_transformers_gives_its_masks(tmp_path, of_transformers):
    of_transformers.save_pretrained(tmp_path)
    s = Segmenter(tmp_path / "model.safetensors", "cpu")
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    e = s.embed(image)
    pixels = s.sam.preprocess(torch.from_numpy(image).permute(2, 0, 1)[None])
    theirs = of_transformers(pixel_values=pixels, input_points=torch.tensor([[[[100.0, 50.0]]]]),
                             input_labels=torch.tensor([[[1]]]), multimask_output=True)
    features = of_transformers.get_image_embeddings(pixels)
    assert (e.features - features).norm() / features.norm() < 1e-4
    logits, scores = s.decode(e, [[100, 50]], [1], multimask=True)
    torch.testing.assert_close(scores, theirs.iou_scores[0, 0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(logits, theirs.pred_masks[0, 0], rtol=1e-2, atol=1e-2 * logits.abs().max().item())


@pytest.mark.parametrize(("key", "name"), [
    ("image_encoder.trunk.pos_embed", "SAM 2"), ("memory_attention.layers.0.norm1.weight", "SAM 2"),
    ("mask_decoder.hf_token.weight", "SAM-HQ"), ("prompt_encoder.bbox_top_left_embeddings.weight", "EfficientSAM"),
    ("model.model.22.proto.cv1.conv.weight", "FastSAM"),
])
def test_a_relative_is_called_by_its_name(tmp_path, make_sam, key, name):
    torch.save({"model": make_sam().state_dict() | {key: torch.zeros(1)}}, tmp_path / "other.pt")
    with pytest.raises(SegmentError, match=f"^This is a checkpoint of {name}, which is another architecture"):
        _ = Segmenter(tmp_path / "other.pt", "cpu").sam


def test_an_onnx_file_is_called_so_by_ending_or_content(tmp_path):
    for name, data in (("a.onnx", b"x" * 99), ("b.pth", b"\x08\x08\x12\x07pytorch" + b"x" * 99)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(weights.WeightsError, match=f"^{name} is an ONNX graph"):
            weights.load_file(tmp_path / name)


def test_a_model_of_ultralytics_is_called_so_and_not_run(tmp_path, monkeypatch):
    stand_in = types.ModuleType("ultralytics.nn.tasks")
    stand_in.SegmentationModel = type("SegmentationModel", (), {"__module__": "ultralytics.nn.tasks"})
    for name in ("ultralytics", "ultralytics.nn", "ultralytics.nn.tasks"):
        monkeypatch.setitem(sys.modules, name, stand_in)
    torch.save({"model": stand_in.SegmentationModel()}, tmp_path / "fast.pt")
    with pytest.raises(weights.WeightsError, match=r"fast.pt is a model of ultralytics \(YOLO or FastSAM\)"):
        weights.load_file(tmp_path / "fast.pt")


def test_of_the_files_of_ones_own_the_last_one_stays_in_memory(tmp_path, make_sam):
    seen = []
    for seed in range(4):
        torch.save(make_sam(seed=seed).state_dict(), tmp_path / f"{seed}.pth")
        seen.append(weakref.ref(Segmenter(tmp_path / f"{seed}.pth", "cpu").sam))
    gc.collect()
    assert [ref() is not None for ref in seen] == [False, False, False, True] and len(models.MODULES) == 1


def test_on_cuda_a_model_is_warm_before_it_answers(tmp_path, make_sam, monkeypatch):
    torch.save(make_sam().state_dict(), tmp_path / "a.pth")
    runs, warm = [], models.warm
    monkeypatch.setattr(models, "warm", lambda sam, device: runs.append(device.type) or warm(sam, device))
    _ = Segmenter(tmp_path / "a.pth", "cpu").sam
    assert runs == [] and models.WARMED == ("cuda",)
    monkeypatch.setattr(models, "WARMED", ("cpu",))
    models.MODULES.clear()
    _ = Segmenter(tmp_path / "a.pth", "cpu").sam
    assert runs == ["cpu"]
