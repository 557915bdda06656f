"""Routers against loops and against transformers."""

import pytest
import torch
from transformers import DeepseekV3Config, MixtralConfig, SwitchTransformersConfig
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3TopkRouter
from transformers.models.mixtral import modeling_mixtral
from transformers.models.switch_transformers import modeling_switch_transformers as theirs_switch

from backends.lm import experts
from backends.moe.params import LIMITED, ROUTERS, Rules
from backends.moe.routers import balanced, noisy, places, route, smooth
from tests.backends.moe import naive

T, E = 64, 8
EACH = {"switch": 1, "gshard": 2, "stmoe": 1}


def logits(seed=0, t=T, e=E, scale=2.0):
    return scale * torch.randn(t, e, generator=torch.Generator().manual_seed(seed))


def pairs(mask):
    return {(t, e) for t, e in mask.nonzero().tolist()}


@pytest.mark.parametrize("k", [1, 2, 3, 8])
def test_top_k_is_the_loop(k):
    x = logits(k)
    routed = route("mixtral", x, Rules(k=k))
    for t, gates in enumerate(naive.top_k(x.double().tolist(), k)):
        assert pairs(routed.kept[t : t + 1]) == {(0, e) for e in gates}
        assert all(routed.gates[t, e].item() == pytest.approx(w, abs=1e-6) for e, w in gates.items())


def test_softmax_then_top_k_renormalised_is_softmax_over_the_kept():
    x = logits()
    asked = x.topk(3, -1).indices
    over_kept = torch.zeros_like(x).scatter(1, asked, x.gather(1, asked).softmax(-1))
    torch.testing.assert_close(route("mixtral", x, Rules(k=3)).gates, over_kept)


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize("order", ["text", "priority"])
@pytest.mark.parametrize("factor", [0.05, 0.5, 1.0, 1.25, 4.0])
@pytest.mark.parametrize("group", [0, 24])
def test_places_are_filled_as_by_loops(name, order, factor, group):
    x, rules = logits(3), Rules(factor=factor, order=order, group=group, seed=5)
    routed, open_to_all = route(name, x, rules), route(name, x, Rules(factor=1e6, seed=5))
    p = x.softmax(-1)
    assert torch.equal(routed.wanted, open_to_all.kept) and not open_to_all.dropped.any()
    size, kept = group or T, set()
    for at in range(0, T, size):
        part = range(at, min(T, at + size))
        asked = []
        for t in part:
            ranked = [e for e in p[t].argsort(descending=True).tolist() if routed.wanted[t, e]]
            asked.append(ranked + [-1] * (2 - len(ranked)))
        capacity = max(1, int(factor * EACH[name] * len(part) / E + 1e-9))
        found = naive.limited(asked, p[list(part)].amax(-1).tolist(), capacity, order == "priority")
        kept |= {(t + at, e) for t, e in found}
        assert capacity in routed.capacity
    assert pairs(routed.kept) == kept
    assert torch.equal(routed.gates > 0, routed.kept)
    assert int(routed.kept.sum() + routed.dropped.sum()) == int(routed.wanted.sum())


def test_capacity_is_rounded_down_and_never_zero():
    assert [places(64, 8, 1, f) for f in (1.0, 1.25, 0.99, 0.01)] == [8, 10, 7, 1]
    assert places(10, 10, 1, 0.1 * 3) == 1 and places(100, 10, 1, 0.3) == 3 and places(7, 8, 2, 1.0) == 1


def test_st_moe_has_the_places_of_its_code_and_gshard_twice_as_many():
    """Mesh TensorFlow: int(group * capacity_factor / experts), whatever k; DeepSpeed's top-2 gate: twice that."""
    capacity = {name: route(name, logits(), Rules(factor=1.25)).capacity for name in LIMITED}
    assert capacity == {"switch": (10,), "gshard": (20,), "stmoe": (10,)}
    two, one = (route(name, logits(), Rules(factor=0.75, seed=1)) for name in ("gshard", "stmoe"))
    assert two.kept.sum(0).max() == 12 and one.kept.sum(0).max() == 6


def test_expert_choice_is_the_loop_and_every_load_is_equal():
    x = logits(1)
    routed = route("choice", x, Rules(k=2))
    kept = naive.expert_choice(x.double().tolist(), 16)
    assert pairs(routed.kept) == set(kept) and set(routed.kept.sum(0).tolist()) == {16}
    assert all(routed.gates[t, e].item() == pytest.approx(w, abs=1e-6) for (t, e), w in kept.items())


def test_expert_choice_and_priority_look_at_later_tokens_and_the_others_do_not():
    x = logits(2)
    other = x.clone()
    other[-1] = other[-1].flip(0) * 10
    changed = {}
    for name, router in ROUTERS.items():
        rules = Rules(factor=1 / EACH.get(name, 1), updates=0)
        a, b = (route(name, z, rules).gates[:-1] for z in (x, other))
        changed[name] = not torch.equal(a, b)
        assert changed[name] is not router.causal
    assert not torch.equal(*(balanced(z.sigmoid(), 2, Rules(updates=30)) for z in (x, other)))
    a, b = (route("switch", z, Rules(factor=0.5, order="priority")).kept[:-1] for z in (x, other))
    assert changed["choice"] and not torch.equal(a, b)


@pytest.mark.parametrize("capacity", [1, 5, 9, 64])
def test_switch_is_transformers_top_1_router(capacity):
    config = SwitchTransformersConfig(hidden_size=16, num_experts=E, expert_capacity=capacity)
    router = theirs_switch.SwitchTransformersTop1Router(config).eval()
    with torch.no_grad():
        router.classifier.weight.copy_(torch.randn(E, 16, generator=torch.Generator().manual_seed(1)))
        x = torch.randn(2, 40, 16, generator=torch.Generator().manual_seed(2))
        index, top, raw = router(x)
    routed = route("switch", raw.flatten(0, 1), Rules(factor=capacity * E / 40, group=40))
    assert routed.capacity == (capacity, capacity)
    assert torch.equal(routed.kept, index.flatten(0, 1).bool())
    torch.testing.assert_close(routed.gates, (index * top).flatten(0, 1))
    p = raw.softmax(-1).flatten(0, 1)[None]
    torch.testing.assert_close(routed.losses.switch,
                               theirs_switch.load_balancing_loss_func(p, raw.argmax(-1).view(1, -1)))
    torch.testing.assert_close(routed.losses.z, theirs_switch.router_z_loss_func(raw))


@pytest.mark.parametrize("k", [1, 2, 4])
def test_mixtral_is_transformers_router_and_its_loss(k):
    config = MixtralConfig(hidden_size=16, num_local_experts=E, num_experts_per_tok=k)
    router = modeling_mixtral.MixtralTopKRouter(config)
    with torch.no_grad():
        router.weight.copy_(torch.randn(E, 16, generator=torch.Generator().manual_seed(1)))
        raw, scores, index = router(torch.randn(50, 16, generator=torch.Generator().manual_seed(2)))
    routed = route("mixtral", raw, Rules(k=k))
    torch.testing.assert_close(routed.gates, torch.zeros_like(raw).scatter(1, index, scores))
    torch.testing.assert_close(routed.losses.mixtral, modeling_mixtral.load_balancing_loss_func((raw,), E, k))
    torch.testing.assert_close(routed.losses.mixtral, k * routed.losses.switch)
    ours = experts.route(raw, k)
    torch.testing.assert_close((ours.balance, ours.z), (routed.losses.switch, routed.losses.z))


def test_the_bias_router_is_deepseek_s_with_its_bias():
    config = DeepseekV3Config(hidden_size=16, n_routed_experts=E, num_experts_per_tok=2, n_group=1, topk_group=1,
                              routed_scaling_factor=1.0, norm_topk_prob=True)
    router = DeepseekV3TopkRouter(config)
    with torch.no_grad():
        router.weight.copy_(torch.randn(E, 16, generator=torch.Generator().manual_seed(1)))
        x = torch.randn(50, 16, generator=torch.Generator().manual_seed(2))
        raw, _, _ = router(x)
        routed = route("free", raw, Rules(updates=120, speed=0.01))
        router.e_score_correction_bias.copy_(routed.bias)
        _, weights, index = router(x)
    torch.testing.assert_close(routed.gates, torch.zeros_like(raw).scatter(1, index, weights))
    assert routed.bias.abs().max() > 0.05


def test_bias_updates_even_the_loads():
    x = logits(4, 512) + torch.linspace(0, 3, E)
    before, after = (route("free", x, Rules(updates=n)).kept.sum(0).float() for n in (0, 400))
    assert before.std() > 5 * after.std() and after.max() / after.mean() < 1.3 < before.max() / before.mean()
    one = balanced(x.sigmoid(), 2, Rules(updates=1, speed=0.01))
    assert torch.equal(one, 0.01 * (before.mean() - before).sign())


def test_second_choices_come_as_often_as_the_rule_says():
    x = logits(5, 20_000, scale=1.0)
    g2 = x.softmax(-1).topk(2, -1).values
    g2 = g2[:, 1] / g2.sum(-1)
    for name, reach in (("gshard", 0.5), ("stmoe", 0.2)):
        routed = route(name, x, Rules(factor=1e6, seed=1))
        share = (routed.wanted.sum(-1) == 2).float().mean()
        assert share == pytest.approx((g2 / reach).clamp(max=1).mean().item(), abs=0.01)
        assert (routed.wanted.sum(-1) >= 1).all()


def test_noise_is_added_before_the_choice():
    x = logits(6)
    quiet, loud = route("shazeer", x, Rules(noise=0.0)), route("shazeer", x, Rules(noise=3.0))
    torch.testing.assert_close(quiet.gates, route("mixtral", x, Rules()).gates)
    assert not torch.equal(quiet.kept, loud.kept) and torch.allclose(loud.gates.sum(-1), torch.ones(T))


@pytest.mark.parametrize("k", [1, 2, 5])
def test_shazeer_s_noise_importance_and_load_are_the_loops(k):
    x, wide = logits(8), logits(9)
    deviation = torch.nn.functional.softplus(wide)
    routed = route("shazeer", x, Rules(k=k, noise=deviation, seed=3))
    drawn = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    gates = naive.top_k((x + deviation * drawn).double().tolist(), k)
    for t, row in enumerate(gates):
        assert pairs(routed.kept[t : t + 1]) == {(0, e) for e in row}
        assert all(routed.gates[t, e].item() == pytest.approx(w, abs=1e-5) for e, w in row.items())
    importance = [sum(row.get(e, 0.0) for row in gates) for e in range(E)]
    assert routed.losses.importance.item() == pytest.approx(naive.varied(importance), rel=1e-4)
    load = naive.smooth_load(*(v.double().tolist() for v in (x, drawn)), k, deviation.double().tolist())
    assert smooth(x, k, Rules(noise=deviation, seed=3)).tolist() == pytest.approx(load, rel=1e-4)
    assert routed.losses.load.item() == pytest.approx(naive.varied(load), rel=1e-3)


def test_the_smooth_load_is_what_new_noise_gives_and_has_a_gradient():
    x, rules = logits(10, t=4, scale=1.0), Rules(k=2, noise=0.7, seed=1)
    h, fresh = noisy(x, rules), torch.Generator().manual_seed(5)
    for e in range(E):
        again = h.expand(20_000, 4, E).clone()
        again[..., e] = x[:, e] + 0.7 * torch.randn(20_000, 4, generator=fresh)
        share = (again.topk(2, -1).indices == e).any(-1).float().mean(0).sum().item()
        assert smooth(x, 2, rules)[e].item() == pytest.approx(share, abs=0.03)
    x.requires_grad_()
    route("shazeer", x, rules).losses.load.backward()
    assert x.grad.abs().max() > 0
    assert smooth(x, E, rules).tolist() == [4.0] * E
    still = route("shazeer", logits(), Rules(k=2, noise=0.0))
    assert still.losses.load.item() == pytest.approx(naive.varied(still.kept.sum(0).tolist()), rel=1e-4)


def test_balance_of_first_choices_is_gshard_s():
    x = logits(11)
    p = x.softmax(-1)
    f = torch.bincount(p.argmax(-1), minlength=E) / T
    for name in ("switch", "gshard", "stmoe", "mixtral"):
        torch.testing.assert_close(route(name, x, Rules()).losses.first, E * E * (f * p.mean(0)).mean())
    assert route("gshard", x, Rules()).losses.switch != route("gshard", x, Rules()).losses.first


@pytest.mark.parametrize("name", ["gshard", "stmoe"])
def test_a_second_expert_has_its_share_of_the_two_kept_or_not(name):
    x = logits(12)
    routed, (top, index) = route(name, x, Rules(factor=0.6, seed=2)), x.softmax(-1).topk(2, -1)
    both = torch.zeros_like(x).scatter(1, index, top / top.sum(-1, keepdim=True))
    torch.testing.assert_close(routed.gates, both * routed.kept)
    assert routed.dropped.any() and (routed.wanted.sum(-1) == 1).any()


def test_the_bias_chooses_and_does_not_weigh():
    x = logits(13) + torch.linspace(0, 4, E)
    routed = route("free", x, Rules(updates=300))
    scores = x.sigmoid()
    chosen = (scores + routed.bias).topk(2, -1).indices
    weights = scores.gather(1, chosen)
    torch.testing.assert_close(routed.gates,
                               torch.zeros_like(x).scatter(1, chosen, weights / weights.sum(-1, keepdim=True)))
    assert torch.equal(routed.probabilities, scores) and not torch.equal(chosen, scores.topk(2, -1).indices)


def test_expert_choice_in_groups_chooses_in_each():
    x = logits(14)
    whole, parts = route("choice", x, Rules(group=24)), [route("choice", part, Rules()) for part in x.split(24)]
    assert torch.equal(whole.kept, torch.cat([part.kept for part in parts]))
    assert route("choice", torch.full((T, E), 0.0).index_fill(1, torch.tensor([0]), 500.0),
                 Rules()).kept.sum(0).tolist() == [16] * E


def test_losses_at_perfect_balance():
    x = 9.0 * torch.eye(E).repeat(4, 1)
    one = route("switch", x, Rules()).losses
    assert one.switch.item() == pytest.approx(1, abs=1e-5) and one.first.item() == pytest.approx(1, abs=1e-5)
    assert one.load.item() == pytest.approx(0, abs=1e-9) and one.importance.item() == pytest.approx(0, abs=1e-9)
    even = torch.zeros(E, E) + 5 * torch.eye(E) + 4 * torch.eye(E).roll(1, 0)
    two = route("mixtral", even, Rules(k=2)).losses
    assert two.switch.item() == pytest.approx(1, abs=1e-5) and two.mixtral.item() == pytest.approx(2, abs=1e-5)
    hog = torch.zeros(50, E)
    hog[:, 3] = 30.0
    assert route("switch", hog, Rules()).losses.switch.item() == pytest.approx(E, abs=1e-3)


def test_the_balance_loss_s_gradient_flows_through_the_probabilities_only():
    x = logits(7).double().float().requires_grad_()
    routed = route("mixtral", x, Rules())
    routed.losses.switch.backward()
    f = routed.wanted.float().mean(0) / 2
    again = x.detach().clone().requires_grad_()
    (E * (f * again.softmax(-1).mean(0)).sum()).backward()
    torch.testing.assert_close(x.grad, again.grad)
    assert x.grad.abs().max() > 0


@pytest.mark.parametrize(("make", "said"), [
    (lambda: route("mixtral", logits(e=4), Rules(k=5)), "only 4 experts"),
    (lambda: route("gshard", logits(e=1), Rules()), "only 1 experts"),
    (lambda: route("mixtral", logits(t=0), Rules()), "no token"),
    (lambda: route("nobody", logits(), Rules()), "no router called"),
    (lambda: Rules(factor=0.0), "capacity factor must be above 0"),
    (lambda: Rules(k=0), "at least one expert"),
])
def test_nonsense_is_refused_in_a_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize("name", ROUTERS)
def test_one_token_is_routed(name):
    routed = route(name, logits(t=1), Rules())
    assert routed.kept.any() and routed.gates.isfinite().all()
    assert all(v.isfinite() for v in vars(routed.losses).values())
