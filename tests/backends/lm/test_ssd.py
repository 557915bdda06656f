"""The state-space mixer: chunked scan, matrix and recurrence agree; its twin does not look at the token."""
import pytest
import torch

from backends.lm import ssd


def parts(n: int, s: int = 5) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(n)
    x = torch.randn(2, 3, n, 4, generator=random)
    dt = torch.rand(2, 3, n, generator=random)
    b, c = torch.randn(2, 2, n, s, generator=random)
    return x, -dt * torch.tensor([0.1, 1.0, 8.0])[:, None], dt, b, c


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 33])
@pytest.mark.parametrize("chunk", [1, 8, 64])
def test_the_chunked_scan_equals_the_recurrence(n, chunk):
    x, log, dt, b, c = parts(n)
    wanted = ssd.recurrent(*(t.double() for t in (x, log, dt, b, c)))
    assert torch.allclose(ssd.scan(x, log, dt, b, c, chunk=chunk), wanted.float(), atol=2e-5)


def test_the_matrix_times_the_values_is_the_scan():
    x, log, dt, b, c = parts(33)
    assert torch.allclose(ssd.matrix(log, dt, b, c) @ x, ssd.scan(x, log, dt, b, c, chunk=8), atol=2e-5)


def test_segment_sums_equal_a_double_loop_and_hold_where_products_underflow():
    log = torch.full((3000,), -0.5)
    sums = ssd.segment_sum(log)
    assert sums[2999, 2998] == -0.5 and sums[2999, 0] == -0.5 * 2999 and sums[5, 5] == 0 and sums[5, 6] == -torch.inf
    few = torch.randn(6, generator=torch.Generator().manual_seed(1))
    wanted = [[float(few[j + 1 : i + 1].sum()) if j <= i else -torch.inf for j in range(6)] for i in range(6)]
    assert torch.allclose(ssd.segment_sum(few), torch.tensor(wanted), atol=1e-6)


@pytest.mark.parametrize("selective", [True, False])
def test_the_mixer_is_causal_and_takes_any_length(selective):
    torch.manual_seed(0)
    mixer, x = ssd.StateSpace(16, 4, 8, selective).eval(), torch.randn(2, 30, 16)
    y = mixer(x)
    x[:, 20:] = 3.0
    assert torch.allclose(mixer(x)[:, :20], y[:, :20], atol=1e-6)
    assert [mixer(x[:, :n]).shape for n in (0, 1)] == [(2, 0, 16), (2, 1, 16)]


def test_only_the_selective_form_steers_by_the_token_and_both_have_equally_many_parameters():
    torch.manual_seed(0)
    forms = {selective: ssd.StateSpace(16, 4, 8, selective) for selective in (True, False)}
    x = torch.randn(1, 12, 16)
    spread = {s: float(m.parts(x)[2].std(-1).max().detach()) for s, m in forms.items()}
    assert spread[False] < 1e-7 and spread[True] > 1e-4
    assert len({sum(p.numel() for p in m.parameters()) for m in forms.values()}) == 1


def test_the_twin_without_its_gate_is_a_filter_that_shifts_with_its_input():
    torch.manual_seed(0)
    mixer = ssd.StateSpace(16, 4, 8, selective=False)
    values, log, dt, b, c, _ = mixer.parts(torch.randn(1, 40, 16))
    values[:, :, :10] = 0
    moved = torch.zeros_like(values)
    moved[:, :, 5:] = values[:, :, :-5]
    y, late = ssd.scan(values, log, dt, b, c), ssd.scan(moved, log, dt, b, c)
    assert torch.allclose(late[:, :, 5:], y[:, :, :-5], atol=1e-5)
