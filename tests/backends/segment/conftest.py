"""Small models with random weights, and one whose masks are far from trivial, for the tests of this folder."""
from functools import partial

import numpy as np
import pytest
import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import nn

from backends.segment import Segmenter, interact, segmenter

SIDE, DIM = 256, 64


def small_sam(seed: int = 0, side: int = SIDE) -> Sam:
    """vit_b in small: 2 layers of 64, windows of 14, one global layer, random weights, logits spread over both
    signs."""
    torch.manual_seed(seed)
    grid = side // 16
    encoder = ImageEncoderViT(depth=2, embed_dim=DIM, img_size=side, mlp_ratio=4,
                              norm_layer=partial(nn.LayerNorm, eps=1e-6), num_heads=4, patch_size=16, qkv_bias=True,
                              use_rel_pos=True, global_attn_indexes=[1], window_size=14, out_chans=DIM)
    prompts = PromptEncoder(embed_dim=DIM, image_embedding_size=(grid, grid), input_image_size=(side, side),
                            mask_in_chans=16)
    decoder = MaskDecoder(num_multimask_outputs=3, transformer_dim=DIM, iou_head_depth=3, iou_head_hidden_dim=DIM,
                          transformer=TwoWayTransformer(depth=2, embedding_dim=DIM, mlp_dim=128, num_heads=4))
    sam = Sam(encoder, prompts, decoder).eval().requires_grad_(False)
    nn.init.normal_(encoder.patch_embed.proj.weight, std=0.1)
    for mlp in decoder.output_hypernetworks_mlps:
        nn.init.normal_(mlp.layers[-1].weight, std=8.0)
    return sam


class ColourEncoder(nn.Module):
    """Mean colour of every 4 x 4 pixels: (1, 3, L, L) -> (1, 3, L/4, L/4)."""

    img_size = 128

    def forward(self, x):
        return nn.functional.avg_pool2d(x, 4)


class PlacePrompts(nn.Module):
    """Points become rows (x, y) in units of the input's side; the rest of SAM's prompts is not read."""

    mask_input_size = (32, 32)

    def get_dense_pe(self):
        return torch.zeros(1, 3, 32, 32)

    def forward(self, points, boxes, masks):
        xy = ((points[0] + 0.5) / ColourEncoder.img_size).to(torch.float32)
        return xy, torch.zeros(len(xy), 3, 32, 32)


class ColourDecoder(nn.Module):
    """Three masks per click, of growing tolerance: cells whose colour is near that of the clicked cell."""

    def forward(self, image_embeddings, image_pe, sparse_prompt_embeddings, dense_prompt_embeddings, multimask_output):
        cell = (sparse_prompt_embeddings[:, 0] * 32).long().clamp(0, 31)
        clicked = image_embeddings[0][:, cell[:, 1], cell[:, 0]].T[..., None, None]
        distance = (image_embeddings - clicked).norm(dim=1, keepdim=True)
        logits = 12 * (torch.tensor([0.3, 0.7, 1.2])[None, :, None, None] - distance)
        scores = (1 - (logits.abs() < 1).float().mean((2, 3)) - 0.01 * torch.arange(3)
                  - 0.001 * cell.sum(1, keepdim=True) / 64)
        return (logits, scores) if multimask_output else (logits[:, :1], scores[:, :1])


def colour_sam() -> Sam:
    """A deterministic Sam without weights that segments by colour."""
    return Sam(ColourEncoder(), PlacePrompts(), ColourDecoder()).eval()


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8 (height, width, 3): discs and bars of flat colours on a flat ground."""
    rng = np.random.default_rng(seed)
    image = np.empty((height, width, 3), np.uint8)
    image[:] = rng.integers(0, 256, 3)
    y, x = np.mgrid[:height, :width]
    for _ in range(7):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.08, 0.25) * min(height, width)
        image[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = rng.integers(0, 256, 3)
        x0, y0 = int(cx / 2), int(cy / 2)
        image[y0 : y0 + int(r), x0 : x0 + int(r / 2)] = rng.integers(0, 256, 3)
    return image


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _empty_caches():
    segmenter.EMBEDDINGS.clear()
    interact.LOGITS.clear()


@pytest.fixture(scope="session")
def sam() -> Sam:
    return small_sam()


@pytest.fixture
def small(sam) -> Segmenter:
    return Segmenter.of(sam, "small", "digest")


@pytest.fixture
def colour() -> Segmenter:
    return Segmenter.of(colour_sam(), "colour", "digest")


@pytest.fixture
def make_scene():
    return scene


@pytest.fixture
def make_noise():
    return noise


@pytest.fixture
def make_sam():
    return small_sam
