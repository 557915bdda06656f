"""Frequencies against transformers and rotary-embedding-torch, and the identities that they must keep."""
import math

import pytest
import torch
from rotary_embedding_torch import RotaryEmbedding
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

from backends.lm import rotary
from backends.rope import biases, frequencies
from backends.rope.calculator import calculate
from backends.rope.frequencies import from_block
from backends.rope.methods import Rules, plan

MODELS = [(32, 1e4, 256, 2048), (128, 1e4, 4096, 32768), (64, 5e5, 8192, 131072), (128, 1e6, 512, 4096),
          (4, 1e4, 128, 300)]
YARN = {"rope_type": "yarn", "factor": 8.0}
BLOCKS = [
    {"rope_type": "linear", "factor": 3.5},
    {"rope_type": "dynamic", "factor": 2.0},
    {"rope_type": "dynamic", "factor": 1.0},
    YARN, YARN | {"beta_fast": 8.0, "beta_slow": 2.0}, YARN | {"truncate": False}, YARN | {"attention_factor": 1.3},
    YARN | {"mscale": 1.0, "mscale_all_dim": 0.5},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    {"rope_type": "longrope", "factor": 4.0}, {"rope_type": "longrope"},
    {"rope_type": "longrope", "attention_factor": 1.2}, YARN | {"factor": None},
]


def theirs(block, d, base, trained, longest, n):
    """(theta, factor) of transformers; `longest`: max_position_embeddings."""
    config = LlamaConfig(hidden_size=2 * d, num_attention_heads=2, head_dim=d, max_position_embeddings=longest,
                         rope_parameters=block)
    return ROPE_INIT_FUNCTIONS[block["rope_type"]](config, None, seq_len=n)


def completed(block, d, base, trained):
    """The block with all that transformers asks for."""
    more = {} if block["rope_type"] in ("linear", "dynamic") else {"original_max_position_embeddings": trained}
    if block["rope_type"] == "longrope":
        more |= {"short_factor": [1.0 + 0.01 * p for p in range(d // 2)],
                 "long_factor": [1.0 + p for p in range(d // 2)]}
    return {"rope_theta": base, **block, **more}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: "-".join(map(str, b.values())))
@pytest.mark.parametrize(("d", "base", "trained", "target"), MODELS)
def test_a_block_means_what_it_means_to_transformers(block, d, base, trained, target):
    block = completed(block, d, base, trained)
    longest = trained if block["rope_type"] == "dynamic" else target
    for n in (trained, trained + 1, target):
        theta, factor = theirs(block, d, base, trained, longest, n)
        found, ours = from_block(block, d, n, longest)
        assert ((found - theta) / theta).abs().max() < 1e-6 and ours == pytest.approx(factor, rel=1e-9)


@pytest.mark.parametrize(("share", "factor"), [(0.25, 1.0), (0.5, 4.0), (1.0, 2.0)])
def test_proportional_is_plain_rope_with_another_base_over_the_pairs_that_turn(share, factor):
    block = {"rope_type": "proportional", "rope_theta": 1e6, "partial_rotary_factor": share, "factor": factor}
    theta, ours = theirs(block, 256, 1e6, 4096, 4096, None)
    turning, (found, one) = int(256 * share) // 2, from_block(block, int(256 * share), 4096, 4096)
    assert ((found - theta[:turning]) / found).abs().max() < 1e-5 and (theta[turning:] == 0).all() and one == ours


@pytest.mark.parametrize(("d", "base", "trained", "target"), MODELS)
def test_the_blocks_of_the_calculator_give_transformers_the_frequencies_of_the_method(d, base, trained, target):
    for row in calculate(d, base, trained, target, rules=Rules(tau=4.0)).rows:
        if row.block["rope_type"] == "default":
            theta, factor = 1.0 / row.block["rope_theta"] ** (torch.arange(0, d, 2) / d), 1.0
        else:
            theta, factor = theirs(row.block, d, base, trained, row.positions, target)
        assert ((row.theta - theta) / theta).abs().max() < 1e-6, row.name
        assert row.logit == pytest.approx(factor**2, rel=1e-6), row.name


def halves(x):
    """Interleaved pairs (0, 1), (2, 3) .. as halves: channel i beside channel i + d/2."""
    return torch.cat([x[..., ::2], x[..., 1::2]], -1)


@pytest.mark.parametrize(("name", "given"),
                         [("none", {}), ("pi", {"interpolate_factor": 8.0}), ("ntk", {"theta_rescale_factor": 8.0})])
def test_rotation_is_that_of_rotary_embedding_torch_after_permuting(name, given):
    x = torch.randn(1, 2, 300, 16, generator=torch.Generator().manual_seed(0))
    theta = plan(name, 300, 16, Rules(scale=8)).theta
    found = rotary.rotate(halves(x), torch.arange(300), theta)
    assert (found - halves(RotaryEmbedding(16, **given).rotate_queries_or_keys(x))).abs().max() < 5e-5


def test_xpos_fades_as_in_rotary_embedding_torch():
    scale = RotaryEmbedding(16, use_xpos=True).get_scale(torch.arange(100.0))[:, ::2]
    i, j = torch.tensor([90]), torch.tensor([20])
    assert biases.xpos(i, j, 16).item() == pytest.approx((scale[90] / scale[20]).mean().item(), rel=1e-5)
    assert biases.xpos(i, i, 16).item() == 1


@pytest.mark.parametrize("heads", [1, 2, 4, 6, 8, 12, 20])
def test_alibi_is_that_of_bloom(heads):
    theirs = build_alibi_tensor(torch.ones(1, 10), heads, torch.float32)[:, 0]
    ours = biases.alibi(torch.tensor(9), torch.arange(10), heads)
    assert (ours - ours[:, :1] - theirs).abs().max() < 1e-5


def test_kerple_and_sandwich_are_their_formulas():
    i, j = torch.tensor([7, 40]), torch.tensor([7, 3])
    assert biases.kerple(i, j, 2.0, 3.0)[0].tolist() == pytest.approx([0.0, -2 * math.log(1 + 3 * 37)])
    assert biases.sandwich(i, j, 4)[0].tolist() == pytest.approx([2.0, math.cos(37) + math.cos(0.37)])


@pytest.mark.parametrize("s", [1.0, 2.0, 8.0, 16.0])
def test_ntk_leaves_the_fastest_pair_and_divides_the_slowest(s):
    theta = frequencies.ntk(32, 1e4, s)
    plain = rotary.frequencies(32)
    assert theta[0] == plain[0] and (theta[-1] * s).item() == pytest.approx(plain[-1].item(), rel=1e-6)


def test_ntk_mixed_lies_between_interpolation_and_ntk_fixed():
    plain = rotary.frequencies(32).double()
    fixed = plain * 8.0 ** -(torch.arange(1, 17) / 16).double()
    assert torch.allclose(frequencies.mixed(plain.float(), 8.0, 0.0).double(), plain / 8, rtol=1e-6)
    assert torch.allclose(frequencies.mixed(plain.float(), 8.0, 1.0).double(), fixed, rtol=1e-6)


@pytest.mark.parametrize("name", ["parts", "yarn", "yarn_hf"])
def test_what_by_parts_keeps_falls_from_all_to_none(name):
    plain, theta = rotary.frequencies(32), plan(name, 2048, 32, Rules()).theta
    kept = (theta / plain - 1 / 8) / (1 - 1 / 8)
    assert kept[0] == 1 and (kept.diff() <= 1e-6).all() and kept[-1].abs() < 1e-6 and (kept >= -1e-6).all()


@pytest.mark.parametrize("name", ["pi", "ntk", "ntk2", "ntk_mixed", "parts", "yarn", "yarn_hf", "dynamic"])
def test_a_scale_of_one_gives_the_frequencies_back(name):
    p = plan(name, 256, 32, Rules())
    assert torch.equal(p.theta, rotary.frequencies(32)) and (p.logit is None or (p.logit(torch.arange(4.0)) == 1).all())


def test_a_static_scale_acts_inside_the_trained_length_and_dynamic_does_not():
    static, plain = Rules(scale=16), rotary.frequencies(32)
    assert torch.equal(plan("dynamic", 200, 32, static).theta, plain)
    assert not torch.equal(plan("ntk", 200, 32, static).theta, plain)


def test_the_two_yarns_differ():
    s = Rules(tau=32.0, trained=512)
    a, b = (plan(name, 4096, 128, s).theta for name in ("yarn", "yarn_hf"))
    assert 1.5 < (a / b).max() < 2.5 or 1.5 < (b / a).max() < 2.5


@pytest.mark.parametrize("factors", [(1.0,), (1.0, 0.0), (1.0, math.nan)])
def test_longrope_wants_a_factor_per_pair(factors):
    with pytest.raises(ValueError, match="2 factors above 0"):
        frequencies.longrope(rotary.frequencies(4), factors)
