"""Sparse patterns against their definitions, entry by entry, at awkward sizes."""
from types import SimpleNamespace

import pytest
import torch

from backends.attention import masks
from backends.attention.params import AttentionParams
from tests.backends.attention import naive

SIZES = [1, 2, 7, 16, 17, 33]


def settings(**given):
    """AttentionParams with small patterns."""
    return AttentionParams(source="synthetic",
                           **({"window": 3, "stride": 4, "block": 5, "globals": 2, "blocks": 1} | given))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("kind", [k for k in masks.KINDS if k != "bigbird"])
@pytest.mark.parametrize("change", [{}, {"window": 0, "stride": 1, "block": 1, "globals": 0},
                                    {"window": 99, "stride": 99, "block": 99, "globals": 64}],
                         ids=["usual", "smallest", "beyond n"])
def test_a_pattern_is_its_definition(kind, n, causal, change):
    p = settings(causal=causal, **change)
    expected = [[naive.allowed(kind, i, j, p) and (j <= i or not causal) for j in range(n)] for i in range(n)]
    assert masks.of(kind, n, p).tolist() == expected


@pytest.mark.parametrize("kind", masks.KINDS)
@pytest.mark.parametrize("n", SIZES)
def test_every_token_sees_itself(kind, n):
    assert masks.of(kind, n, settings(window=0, globals=0, blocks=0)).diagonal().all()


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("causal", [True, False])
def test_bigbird_is_whole_blocks_of_neighbours_firsts_and_so_many_random_ones(n, causal):
    p = settings(causal=causal, globals=1, blocks=2)
    mask, count = masks.of("bigbird", n, p), -(-n // 5)
    for a in range(count):
        extra = 0
        for b in range(count):
            part = mask[5 * a:5 * a + 5, 5 * b:5 * b + 5]
            able = masks.causal(n)[5 * a:5 * a + 5, 5 * b:5 * b + 5] if causal else torch.ones_like(part)
            assert torch.equal(part, able) or not part.any()
            must = abs(a - b) <= 1 or a < 1 or b < 1
            assert part.any() or not (must and able.any())
            extra += bool(part.any()) and not must
        assert extra <= 2
    full = masks.of("bigbird", n, settings(causal=causal, globals=1, blocks=0))
    assert (mask | full).equal(mask)


def test_random_blocks_follow_the_seed_and_exist():
    one, same, other = (masks.bigbird(64, 4, 1, 2, seed, True) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert one.sum() > masks.bigbird(64, 4, 1, 0, 1, True).sum()
    assert not masks.of("bigbird", 64, settings()).triu(1).any()


def test_causal_random_blocks_are_drawn_from_the_past():
    """Two of the nine blocks up to the own one, of which the own and its neighbour are seen anyway: 14 / 9 new ones on
    average."""
    new = [int(masks.bigbird(64, 4, 0, 2, seed, True)[32, :28:4].sum()) for seed in range(300)]
    assert sum(new) / 300 == pytest.approx(14 / 9, abs=0.15)


def test_a_kind_without_a_pattern_is_refused():
    with pytest.raises(ValueError, match="elu1 has no sparse pattern"):
        masks.of("elu1", 8, settings())


@pytest.mark.parametrize("kind", masks.KINDS)
@pytest.mark.parametrize("causal", [True, False])
def test_the_receptive_field_is_reachability(kind, causal):
    """Against a search from token to token."""
    pattern, depth, n = masks.of(kind, 23, settings(causal=causal)), 3, 23
    first = masks.reached(pattern, depth)
    for i in range(n):
        seen, expected = {i}, {}
        for layer in range(1, depth + 1):
            seen |= {j for t in seen for j in range(n) if pattern[t, j]}
            expected |= {j: layer for j in seen if j not in expected}
        assert first[i].tolist() == [expected.get(j, 0) for j in range(n)]


def test_a_local_window_grows_by_its_radius_each_layer():
    first = masks.reached(masks.local(40, 3), 4)
    gap = masks.distance(40).abs()
    assert torch.equal(first, torch.where(gap > 12, 0, ((gap + 2) // 3).clamp_min(1)))


def test_strided_attention_reaches_everything_in_two_layers():
    p = SimpleNamespace(n=61, stride=8)
    assert (masks.reached(masks.strided(p.n, p.stride) & masks.causal(p.n), 2) > 0).equal(masks.causal(p.n))
