"""Deformable DETR against transformers' own code: its initial offsets, its sampling core, points and boxes."""

import pytest
import torch
from transformers import DeformableDetrConfig
from transformers.models.deformable_detr import modeling_deformable_detr as theirs

from backends.deform import operators
from tests.backends.deform.test_operators import draw

HEADS, LEVELS, POINTS, WIDTH = 8, 4, 4, 32
SIZES = [(5, 9), (3, 5), (2, 3), (1, 2)]


@pytest.fixture(scope="module")
def attention():
    """transformers' module as it is initialised, in float64, and then with identity projections."""
    config = DeformableDetrConfig(d_model=WIDTH, encoder_attention_heads=HEADS, num_feature_levels=LEVELS,
                                  encoder_n_points=POINTS, use_timm_backbone=False, use_pretrained_backbone=False,
                                  backbone_config={"model_type": "resnet"})
    with torch.no_grad():
        model = theirs.DeformableDetrModel(config)
        module = model.encoder.layers[0].self_attn.double()
    return module.eval().requires_grad_(False)


def test_the_star_is_transformers_initialisation(attention):
    offsets = attention.sampling_offsets
    assert torch.equal(offsets.weight, torch.zeros_like(offsets.weight))
    start = offsets.bias.view(HEADS, LEVELS, POINTS, 2)
    assert (start - operators.star(HEADS, LEVELS, POINTS)).abs().max() < 1e-5        # transformers draws it in float32
    assert attention.attention_weights.weight.abs().max() == 0 and attention.attention_weights.bias.abs().max() == 0


@pytest.mark.parametrize("sides", [2, 4])
def test_sampling_is_that_of_transformers(attention, sides):
    values, queries = draw(0, 1, sum(h * w for h, w in SIZES), WIDTH), draw(1, 1, 6, WIDTH)
    reference = draw(2, 1, 6, LEVELS, sides).sigmoid()
    torch.nn.init.normal_(attention.sampling_offsets.weight, 0, 0.3, generator=torch.Generator().manual_seed(3))
    torch.nn.init.normal_(attention.attention_weights.weight, 0, 0.3, generator=torch.Generator().manual_seed(4))
    found = attention(hidden_states=queries, encoder_hidden_states=values, reference_points=reference,
                      spatial_shapes=torch.tensor(SIZES), spatial_shapes_list=SIZES,
                      level_start_index=torch.tensor([0, *(h * w for h, w in SIZES[:-1])]).cumsum(0))[0]
    offset = attention.sampling_offsets(queries).view(1, 6, HEADS, LEVELS, POINTS, 2)
    weights = attention.attention_weights(queries).view(1, 6, HEADS, -1).softmax(-1).view(1, 6, HEADS, LEVELS, POINTS)
    parts = attention.value_proj(values).split([h * w for h, w in SIZES], 1)
    maps = [part.view(1, h, w, HEADS, -1).permute(0, 3, 4, 1, 2) for part, (h, w) in zip(parts, SIZES, strict=True)]
    ours = operators.msda(maps, operators.locations(reference, offset, SIZES), weights)
    assert (attention.output_proj(ours.flatten(2)) - found).abs().max() < 1e-12
