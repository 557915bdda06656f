"""MobileSAM's encoder: official key names and shapes, a naive oracle, and parity with timm's TinyViT."""
import numpy as np
import pytest
import torch
from timm.models.tiny_vit import TinyVit

from backends.segment.tinyvit import Block, TinyViT, build_mobile_sam

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def conv_norm(name):
    return [f"{name}.c.weight", *(f"{name}.bn.{n}" for n in NORM)]


def linear(name):
    return [f"{name}.weight", f"{name}.bias"]


def official_encoder_keys():
    """The key names of mobile_sam.pt, as printed from the file in public issue threads and scripts."""
    keys = conv_norm("patch_embed.seq.0") + conv_norm("patch_embed.seq.2")
    for i, depth in enumerate((2, 2, 6, 2)):
        for j in range(depth):
            block = f"layers.{i}.blocks.{j}"
            if i == 0:
                keys += [k for c in (1, 2, 3) for k in conv_norm(f"{block}.conv{c}")]
                continue
            keys += [f"{block}.attn.attention_biases", *conv_norm(f"{block}.local_conv")]
            parts = ("attn.norm", "attn.qkv", "attn.proj", "mlp.norm", "mlp.fc1", "mlp.fc2")
            keys += [k for part in parts for k in linear(f"{block}.{part}")]
        if i < 3:
            keys += [k for c in (1, 2, 3) for k in conv_norm(f"layers.{i}.downsample.conv{c}")]
    keys += (linear("norm_head") + linear("head") + ["neck.0.weight", "neck.2.weight"] + linear("neck.1")
             + linear("neck.3"))
    return {f"image_encoder.{k}" for k in keys}


@pytest.fixture(scope="module")
def mobile():
    return build_mobile_sam()


def test_the_keys_are_those_of_the_official_file(mobile):
    keys = set(mobile.state_dict())
    assert {k for k in keys if k.startswith("image_encoder.")} == official_encoder_keys()
    from segment_anything import sam_model_registry
    with torch.device("meta"):
        rest = {k: v.shape for k, v in sam_model_registry["vit_b"]().state_dict().items()
                if not k.startswith("image_encoder.")}
    assert {k: v.shape for k, v in mobile.state_dict().items() if not k.startswith("image_encoder.")} == rest


def test_the_size_is_that_of_the_official_model(mobile):
    encoder, every = (sum(p.numel() for p in m.parameters()) for m in (mobile.image_encoder, mobile))
    head = sum(p.numel() for m in (mobile.image_encoder.head, mobile.image_encoder.norm_head) for p in m.parameters())
    assert 5.6e6 < encoder - head < 5.9e6 and 9.66e6 < every < 10.2e6
    stored = sum(v.nbytes for v in mobile.state_dict().values())
    assert 0 < 40728226 - stored < 1000 * len(mobile.state_dict()), "bytes of mobile_sam.pt less a zip entry per tensor"


@pytest.mark.parametrize(("key", "shape"), [
    ("patch_embed.seq.0.c.weight", (32, 3, 3, 3)), ("layers.0.blocks.0.conv1.c.weight", (256, 64, 1, 1)),
    ("layers.0.blocks.0.conv2.c.weight", (256, 1, 3, 3)), ("layers.1.blocks.0.attn.attention_biases", (4, 49)),
    ("layers.2.blocks.5.attn.attention_biases", (5, 196)), ("layers.3.blocks.1.attn.attention_biases", (10, 49)),
    ("layers.2.blocks.0.attn.qkv.weight", (480, 160)), ("layers.3.blocks.0.mlp.fc1.weight", (1280, 320)),
    ("layers.2.downsample.conv2.c.weight", (320, 1, 3, 3)), ("head.weight", (1000, 320)),
    ("neck.0.weight", (256, 320, 1, 1)),
    ("neck.2.weight", (256, 256, 3, 3)),
])
def test_shapes_are_those_of_the_official_file(mobile, key, shape):
    assert tuple(mobile.image_encoder.state_dict()[key].shape) == shape


def test_a_picture_of_1024_becomes_a_grid_of_64():
    with torch.device("meta"):
        assert TinyViT()(torch.zeros(1, 3, 1024, 1024)).shape == (1, 256, 64, 64)


def randomised(module, seed=0):
    """Random weights, biases and running statistics, so that nothing is hidden by zeros and ones."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.2)
        if name.endswith("running_var"):
            value.copy_(value.abs() + 0.5)
    return module.eval()


def naive_attention(attn, x):
    """(h, w, c) float64 in, same out: loops over windows, heads, queries and keys; zeros beyond the right and
    bottom."""
    p = {k: v.detach().double().numpy() for k, v in attn.state_dict().items()}
    s, heads, (h, w, c) = round(p["attention_biases"].shape[1] ** 0.5), attn.heads, x.shape
    d, out = c // heads, np.zeros_like(x)
    for top in range(0, h, s):
        for left in range(0, w, s):
            cells = [(top + i, left + j) for i in range(s) for j in range(s)]
            tokens = np.array([x[y, z] if y < h and z < w else np.zeros(c) for y, z in cells])
            centred = tokens - tokens.mean(1, keepdims=True)
            normed = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * p["norm.weight"] + p["norm.bias"]
            qkv, mixed = normed @ p["qkv.weight"].T + p["qkv.bias"], np.zeros_like(tokens)
            for head in range(heads):
                q, k, v = qkv[:, 3 * d * head : 3 * d * (head + 1)].reshape(-1, 3, d).transpose(1, 0, 2)
                for i, (y, z) in enumerate(cells):
                    bias = [p["attention_biases"][head, abs(y - b) * s + abs(z - a)] for b, a in cells]
                    score = [q[i] @ k[j] / d**0.5 + bias[j] for j in range(s * s)]
                    weight = np.exp(np.array(score) - max(score))
                    mixed[i, head * d : (head + 1) * d] = weight / weight.sum() @ v
            for (y, z), value in zip(cells, mixed @ p["proj.weight"].T + p["proj.bias"], strict=True):
                if y < h and z < w:
                    out[y, z] = value
    return out


@pytest.mark.parametrize("size", [(6, 6), (5, 7), (2, 3)])
def test_window_attention_equals_loops_in_float64(size):
    block = randomised(Block(12, 2, 3)).double()
    x = torch.randn(1, *size, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        ours = block.attend(x)[0].numpy()
    assert np.abs(ours - naive_attention(block.attn, x[0].numpy())).max() < 1e-12


def timm_key(key):
    key = key.replace(".c.", ".conv.").replace("patch_embed.seq.0", "patch_embed.conv1")
    key = key.replace("patch_embed.seq.2", "patch_embed.conv2")
    if ".downsample." in key:
        stage = int(key.split(".")[1])
        key = key.replace(f"layers.{stage}.", f"stages.{stage + 1}.")
    key = key.replace("layers.", "stages.").replace("norm_head", "head.norm")
    return key.replace("head.weight", "head.fc.weight").replace("head.bias", "head.fc.bias")


@pytest.mark.parametrize("side", [128, 224])
def test_the_stages_equal_timm_with_the_last_stride_set_to_one(side):
    ours = randomised(TinyViT(img_size=side))
    theirs = TinyVit(embed_dims=(64, 128, 160, 320), num_heads=(2, 4, 5, 10), window_sizes=(7, 7, 14, 7),
                     drop_path_rate=0.0).eval()
    state = {timm_key(k): v for k, v in ours.state_dict().items() if not k.startswith("neck")}
    theirs.load_state_dict(state, strict=True)
    theirs.stages[3].downsample.conv2.conv.stride = (1, 1)
    x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        wanted = theirs.forward_features(x)
        ours.neck = torch.nn.Identity()
        got = ours(x)
    assert got.shape == (1, 320, side // 16, side // 16) and wanted.std() > 0.1
    assert (got - wanted).abs().max() < 1e-4 * wanted.abs().max()
