"""Geodesic maps against Dijkstra, and their running minimum against torch's."""
import numpy as np
import pytest
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from backends.segment.geodesic import FAR, geodesic, lowest


def shortest_paths(cost: np.ndarray, y: int, x: int) -> np.ndarray:
    """Dijkstra on the 4-connected grid, an edge costs the mean of its cells: the naive oracle."""
    h, w = cost.shape
    at = np.arange(h * w).reshape(h, w)
    pairs = [(at[:, :-1], at[:, 1:]), (at[:-1], at[1:])]
    rows, columns = (np.concatenate([p[i].ravel() for p in pairs]) for i in (0, 1))
    flat = cost.ravel()
    graph = coo_matrix(((flat[rows] + flat[columns]) / 2, (rows, columns)), shape=(h * w, h * w)).tocsr()
    return dijkstra(graph, directed=False, indices=at[y, x]).reshape(h, w)


@pytest.mark.parametrize("shape", [(16, 16), (5, 9), (9, 5), (1, 7)], ids=str)
def test_geodesic_map_equals_dijkstra_once_the_sweeps_have_converged(shape):
    cost = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(1)) ** 3 * 3 + 0.02
    seeds = torch.zeros(1, 1, *shape, dtype=torch.bool)
    y, x = shape[0] // 2, shape[1] // 3
    seeds[0, 0, y, x] = True
    expected = np.minimum(shortest_paths(cost[0, 0].numpy().astype(np.float64), y, x), FAR)
    np.testing.assert_allclose(geodesic(cost, seeds, rounds=40)[0, 0], expected, atol=2e-4)


def test_geodesic_map_goes_round_a_wall_and_few_sweeps_never_undershoot():
    cost = torch.full((1, 1, 16, 16), 0.02)
    cost[0, 0, :12, 8] = 10.0
    seeds = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    seeds[0, 0, 2, 2] = True
    few, many = geodesic(cost, seeds, 1), geodesic(cost, seeds, 20)
    assert (few >= many - 1e-4).all()
    assert many[0, 0, 2, 14] < 1.0 < 10.0


def test_without_a_seed_everything_is_far():
    far = geodesic(torch.rand(1, 3, 8, 8) + 0.1, torch.zeros(1, 1, 8, 8, dtype=torch.bool))
    assert (far > FAR - 0.01).all()


def test_prompts_and_costs_of_a_batch_do_not_meet():
    generator = torch.Generator().manual_seed(2)
    cost = torch.rand(3, 2, 6, 10, generator=generator) + 0.02
    seeds = torch.rand(3, 1, 6, 10, generator=generator) > 0.9
    alone = [[geodesic(cost[i:i + 1, k:k + 1], seeds[i:i + 1])[0, 0] for k in range(2)] for i in range(3)]
    assert torch.equal(geodesic(cost, seeds), torch.stack([torch.stack(row) for row in alone]))


@pytest.mark.parametrize("cells", [1, 2, 7, 12, 36, 64])
@pytest.mark.parametrize("dim", [0, 1])
def test_the_running_minimum_is_that_of_cummin_both_ways(cells, dim):
    x = torch.rand(*((cells, 3) if dim == 0 else (3, cells)), 5, generator=torch.Generator().manual_seed(3))
    assert torch.equal(lowest(x.clone(), dim, 1), x.cummin(dim).values)
    assert torch.equal(lowest(x.clone(), dim, -1), x.flip(dim).cummin(dim).values.flip(dim))
