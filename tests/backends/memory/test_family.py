"""The recurrences against transformers' own, loops against matrices, and the empty and the single token."""

import numpy as np
import pytest
import torch

from backends.lm import ssd
from backends.memory import family, poles
from tests.conftest import ROOT

torch.manual_seed(0)


def tensor(values):
    """float32 with a batch in front."""
    return torch.tensor(np.asarray(values), dtype=torch.float32)[None]


@pytest.mark.parametrize("kind", list(family.MEMBERS))
@pytest.mark.parametrize("n", [0, 1, 2, 40])
@pytest.mark.parametrize("channel", [0, 3])
def test_every_loop_is_its_matrix(kind, n, channel):
    body = family.family(kind, n, channel, 1)
    assert body.residual < 1e-12 and body.matrix.shape == body.mask.shape == (n, n)
    assert not np.triu(body.matrix, 1).any() and not np.triu(body.mask, 1).any()
    assert [len(m.norms) for m in body.members] == [n] * len(family.MEMBERS)


def test_the_residual_finds_a_wrong_matrix():
    x = family.drawn(20, 0)
    whole = family.mamba2(x, 0)
    assert np.abs(whole.matrix.T @ x.v[:, 0] - whole.y[:, 0]).max() > 0.1


@pytest.mark.parametrize("n", [1, 17])
def test_mamba_is_transformers_selective_scan(n):
    from transformers.models.mamba.modeling_mamba import mamba_selective_scan

    x = family.drawn(n, 2)
    a = torch.tensor(-(np.arange(family.KEY) + 1.0), dtype=torch.float32).repeat(family.VALUE, 1)
    theirs = mamba_selective_scan(tensor(x.v.T), tensor(x.dt.T), a, tensor(x.k.T), tensor(x.q.T))
    assert np.allclose(theirs[0].T, family.mamba(x, 0).y, atol=1e-5)


def test_mamba_holds_a_and_takes_euler_s_step_for_b():
    """What explain.md says of its steps: after one token the state is dt B v, under a hold it would be less."""
    x, s = family.drawn(1, 2), np.arange(family.KEY) + 1.0
    euler, held = (x.q[0] @ (step * x.k[0]) * x.v[0, 0] for step in (x.dt[0, 0], (1 - np.exp(-x.dt[0, 0] * s)) / s))
    assert family.mamba(x, 0).y[0, 0] == pytest.approx(euler) and abs(euler - held) > 0.05 * abs(euler)
    two = family.drawn(2, 2)
    left = two.q[1] @ (np.exp(-two.dt[1, 0] * s) * two.dt[0, 0] * two.k[0])
    assert family.mamba(two, 0).matrix[1, 0] == pytest.approx(left)
    for name in ("explain.md", "explain.zh.md"):
        [line] = [one for one in (ROOT / "ui/tabs/memory" / name).read_text("utf-8").splitlines() if "exp(Δ A)" in one]
        assert "Δ B" in line and "S4D, Mamba" not in line and "S4D、Mamba" not in line


@pytest.mark.parametrize("n", [1, 17, 32])
def test_mamba2_and_our_ssd_are_transformers_chunk_scan(n):
    from transformers.models.mamba2.modeling_mamba2 import mamba2_chunk_scan

    x = family.drawn(n, 3)
    dt = tensor(x.dt[:, :1])
    theirs = mamba2_chunk_scan(tensor(x.v)[:, :, None], dt, torch.tensor([-1.0]), tensor(x.k)[:, :, None],
                               tensor(x.q)[:, :, None], 8)
    assert np.allclose(theirs[0, :, 0], family.mamba2(x, 0).y, atol=1e-5)
    step = dt.transpose(1, 2)
    ours = ssd.scan(tensor(x.v)[:, None], -step, step, tensor(x.k), tensor(x.q), chunk=5)
    assert torch.allclose(ours[0, 0], theirs[0, :, 0], atol=1e-5)
    assert torch.allclose(ssd.recurrent(tensor(x.v)[:, None], -step, step, tensor(x.k), tensor(x.q)), ours, atol=1e-5)


@pytest.mark.parametrize("n", [1, 23])
def test_rwkv_is_transformers_linear_attention(n):
    from transformers.models.rwkv.modeling_rwkv import rwkv_linear_attention_cpu

    x = family.drawn(n, 4)
    decay = torch.tensor([-3.0, -2.0, -1.0, 0.0])
    theirs, _ = rwkv_linear_attention_cpu(decay, torch.full((4,), 0.5), tensor(x.k[:, :4]), tensor(x.v))
    assert np.allclose(theirs[0], family.rwkv(x, 0).y, atol=1e-5)


def test_rglru_is_transformers_layer():
    from transformers import RecurrentGemmaConfig
    from transformers.models.recurrent_gemma.modeling_recurrent_gemma import RecurrentGemmaRglru

    layer = RecurrentGemmaRglru(RecurrentGemmaConfig(lru_width=6, num_attention_heads=2, hidden_size=8))
    for p in layer.parameters():
        torch.nn.init.normal_(p)
    signal = torch.randn(1, 15, 6)
    with torch.no_grad():
        theirs = layer(signal, torch.arange(15)[None])[0]
        blocks = signal[0].view(15, 2, 3).transpose(0, 1)
        gates = ((layer.input_gate_weight, layer.input_gate_bias),
                 (layer.recurrent_gate_weight, layer.recurrent_gate_bias))
        i, r = ((torch.baddbmm(b[:, None], blocks, w)).transpose(0, 1).reshape(15, 6).numpy().astype(np.float64)
                for w, b in gates)
        rest = layer.recurrent_param.numpy().astype(np.float64)
    one = np.ones((15, 1))
    for c in range(6):
        log, write = family.gated(r[:, c], i[:, c], rest[c])
        y, _ = family.loop(one, one, signal[0, :, c : c + 1].numpy().astype(np.float64), log[:, None], write)
        assert np.allclose(y[:, 0], theirs[:, c], atol=1e-5)


@pytest.mark.parametrize("n", [1, 21])
def test_the_delta_rule_is_transformers_recurrence(n):
    from transformers.models.qwen3_next.modeling_qwen3_next import torch_recurrent_gated_delta_rule

    x = family.drawn(n, 6)
    beta = 1 / (1 + torch.exp(-tensor(x.g[:, :1])))
    q, k, v = (tensor(z)[:, :, None] for z in (x.q * family.KEY**0.5, x.k, x.v))
    theirs, _ = torch_recurrent_gated_delta_rule(q, k, v, torch.zeros(1, n, 1), beta)
    assert np.allclose(theirs[0, :, 0], family.delta(x, 0).y, atol=1e-5)


@pytest.mark.parametrize("head", [0, 3])
def test_retention_is_the_paper_s_parallel_form(head):
    x, i = family.drawn(30, 7), np.arange(30)
    decay = np.where(i[:, None] >= i, (1 - 2.0 ** (-5 - head)) ** np.maximum(i[:, None] - i, 0), 0)
    whole = family.retnet(x, head)
    assert np.allclose(whole.mask, decay) and np.allclose(whole.y, (x.q @ x.k.T / family.KEY**0.5 * decay) @ x.v)


def test_gated_linear_attention_by_divided_keys():
    """Its parallel form: q times the cumulated gates, k over them (arXiv 2312.06635, equation 4)."""
    x = family.drawn(30, 8)
    gates = np.cumprod((1 / (1 + np.exp(-x.g))) ** (1 / 16), 0)
    assert np.allclose(np.tril((x.q * gates) @ (x.k / gates).T) @ x.v / family.KEY**0.5, family.gla(x, 0).y)


def test_the_lru_is_its_convolution():
    x, n = family.drawn(30, 9), 30
    lam = poles.ring(family.KEY, 0.9, 0.99, 0)
    taps = [(x.q[0] * x.k[0] * np.sqrt(1 - np.abs(lam) ** 2) @ lam**t).real for t in range(n)]
    assert np.allclose(np.stack([np.convolve(x.v[:, c], taps)[:n] for c in range(family.VALUE)], 1), family.lru(x, 0).y)


def test_the_delta_rule_stores_the_newest_value_of_a_key():
    x = family.drawn(6, 5)
    same = np.repeat(x.k[:1], 6, 0)
    sure = np.full_like(x.g, 40.0)
    whole = family.delta(family.Inputs(same, same, x.v, sure, x.dt), 0)
    assert np.allclose(whole.y, x.v) and np.allclose(whole.mask, np.eye(6), atol=1e-12)


def test_rwkv_rows_are_means():
    assert np.allclose(family.family("rwkv", 12, 1, 0).matrix.sum(1), 1)
