"""Checkpoints of other programs: prefixes taken off, the names of transformers turned into the official ones, and
relatives of SAM that cannot run here called by their names.

The official names are those of segment_anything; those of transformers are `SamModel`'s (modeling_sam.py).
"""
from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from backends.segment.errors import SegmentError

PREFIXES = ("module.", "model.", "sam.")     # of DataParallel, of trainers, of wrappers

RELATIVES = {                                # part of a key that no other has: what the file is
    "memory_attention.": "SAM 2", "image_encoder.trunk.": "SAM 2", "vision_encoder.backbone.": "SAM 2",
    "mask_decoder.hf_token": "SAM-HQ", "mask_decoder.hq_token": "SAM-HQ",
    "prompt_encoder.bbox_top_left_embeddings": "EfficientSAM",
    "model.22.proto.": "FastSAM",
}

RENAMED = (                                  # name of transformers, official name
    (r"^(?:shared_image_embedding|prompt_encoder\.shared_embedding)\.positional_embedding$",     # tied
     "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"^vision_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
    (r"^vision_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
    (r"^vision_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
    (r"^vision_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
    (r"^vision_encoder\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
    (r"^vision_encoder\.", "image_encoder."),
    (r"^prompt_encoder\.mask_embed\.conv1\.", "prompt_encoder.mask_downscaling.0."),
    (r"^prompt_encoder\.mask_embed\.layer_norm1\.", "prompt_encoder.mask_downscaling.1."),
    (r"^prompt_encoder\.mask_embed\.conv2\.", "prompt_encoder.mask_downscaling.3."),
    (r"^prompt_encoder\.mask_embed\.layer_norm2\.", "prompt_encoder.mask_downscaling.4."),
    (r"^prompt_encoder\.mask_embed\.conv3\.", "prompt_encoder.mask_downscaling.6."),
    (r"^prompt_encoder\.point_embed\.", "prompt_encoder.point_embeddings."),
    (r"^mask_decoder\.upscale_conv1\.", "mask_decoder.output_upscaling.0."),
    (r"^mask_decoder\.upscale_layer_norm\.", "mask_decoder.output_upscaling.1."),
    (r"^mask_decoder\.upscale_conv2\.", "mask_decoder.output_upscaling.3."),
    (r"^(mask_decoder\.(?:iou_prediction_head|output_hypernetworks_mlps\.\d+))\.layers\.0\.", r"\1.layers.1."),
    (r"^(mask_decoder\.(?:iou_prediction_head|output_hypernetworks_mlps\.\d+))\.proj_in\.", r"\1.layers.0."),
    (r"^(mask_decoder\.(?:iou_prediction_head|output_hypernetworks_mlps\.\d+))\.proj_out\.", r"\1.layers.2."),
    (r"\.layer_norm_final_attn\.", ".norm_final_attn."),
    (r"\.layer_norm(\d)\.", r".norm\1."),
)


def official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` under the official names.  SegmentError that says what the file is if it is a relative of SAM."""
    for part, name in RELATIVES.items():
        if any(part in key for key in state):
            raise SegmentError(f"This is a checkpoint of {name}, which is another architecture; please load one of SAM "
                               "(vit_b, vit_l, vit_h) or of MobileSAM.")
    for prefix in PREFIXES:
        if state and all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    if not any(key.startswith("vision_encoder.layers.") for key in state):
        return dict(state)
    return {official_name(key): value for key, value in state.items()}


def official_name(key: str) -> str:
    """The official name of a weight of transformers' SamModel."""
    for pattern, replacement in RENAMED:
        key = re.sub(pattern, replacement, key)
    return key
