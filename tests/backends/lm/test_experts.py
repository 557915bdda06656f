"""Routing of the mixture of experts: gates, balance, and the mixed output against a loop over tokens."""
import pytest
import torch
from torch.nn import functional as F

from backends.lm.experts import Experts, route


def test_gates_are_a_softmax_over_the_kept_logits():
    logits = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    routing = route(logits, 3)
    assert torch.allclose(routing.gates, logits.gather(1, routing.chosen).softmax(-1), atol=1e-6)
    assert torch.equal(routing.chosen, logits.topk(3, -1).indices)


def test_with_one_expert_the_gate_is_its_probability_and_teaches_the_router():
    """Switch's rule. Renormalised the gate is 1 whatever the logits are, and its gradient is nothing but rounding."""
    logits = torch.randn(50, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    routing = route(logits, 1)
    assert torch.equal(routing.gates[:, 0], logits.softmax(-1).amax(-1))
    [taught] = torch.autograd.grad(routing.gates.square().sum(), logits, retain_graph=True)
    [idle] = torch.autograd.grad((routing.gates / routing.gates.sum(-1, keepdim=True)).square().sum(), logits)
    assert taught.norm() > 0.1 > 1e-5 > idle.norm()


def test_a_bias_chooses_by_sigmoids_and_does_not_weigh():
    logits = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    bias = torch.linspace(0, 1, 8)
    routing, scores = route(logits, 2, bias), logits.sigmoid()
    assert torch.equal(routing.chosen, (scores + bias).topk(2, -1).indices)
    kept = scores.gather(1, routing.chosen)
    assert torch.allclose(routing.gates, kept / kept.sum(-1, keepdim=True))
    assert not torch.equal(routing.chosen, route(logits, 2).chosen)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_balance_loss_is_one_at_perfect_balance_and_grows_when_one_expert_takes_all(k):
    turns = torch.stack([torch.roll(torch.arange(8.0), i) for i in range(8)])
    assert route(turns, k).balance == pytest.approx(1.0, abs=1e-6)
    assert route(torch.eye(8)[[0] * 64] * 20, 1).balance == pytest.approx(8.0, rel=1e-3)


def test_the_z_loss_is_the_mean_square_of_the_log_partition():
    logits = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    log2 = 0.6931472
    assert route(logits, 1).z == pytest.approx((log2**2 + (1 + log2) ** 2) / 2, rel=1e-5)


@pytest.mark.parametrize("k", [0, 9])
def test_an_impossible_number_of_experts_is_refused(k):
    with pytest.raises(ValueError, match="between 1 and 8"):
        route(torch.zeros(3, 8), k)


@pytest.mark.parametrize("n", [0, 1, 21])
def test_the_layer_equals_a_loop_over_tokens(n):
    torch.manual_seed(0)
    layer, x = Experts(8, 12, 4, 2), torch.randn(2, n, 8)
    y, routing = layer(x)
    flat = x.flatten(0, 1)
    for t in range(2 * n):
        gates, chosen = layer.router(flat[t]).topk(2)
        parts = [F.gelu(flat[t] @ layer.up[e]) @ layer.down[e] for e in chosen]
        wanted = gates.softmax(0)[0] * parts[0] + gates.softmax(0)[1] * parts[1]
        assert torch.allclose(y.flatten(0, 1)[t], wanted, atol=1e-5)
    assert y.shape == x.shape and routing.chosen.shape == (2 * n, 2)
