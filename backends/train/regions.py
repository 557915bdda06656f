"""Regions of an unlabelled photograph: pseudo-targets for click training, learned without human labels as in arXiv 2303.13399.

Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation" (IJCV 2004): pixels are joined along edges of the grid,
lightest first, while the edge is no heavier than Int(C) + k / |C| for both components C, Int(C) being the heaviest edge that joined C.
Simplified: only edges of the minimum spanning tree are tried, weights are colour distances after a blur, small regions are joined last.
"""
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import minimum_spanning_tree


def spanning_edges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Minimum spanning tree of the 4-connected grid of a picture (h, w, 3): ends (e,), ends (e,), colour distance (e,), lightest first."""
    h, w = image.shape[:2]
    at = np.arange(h * w).reshape(h, w)
    flat = image.reshape(-1, 3).astype(np.float32)
    a, b = np.concatenate([at[:, :-1].ravel(), at[:-1].ravel()]), np.concatenate([at[:, 1:].ravel(), at[1:].ravel()])
    weight = np.linalg.norm(flat[a] - flat[b], axis=1) + 1e-3
    tree = minimum_spanning_tree(coo_matrix((weight, (a, b)), shape=(h * w, h * w))).tocoo()
    order = np.argsort(tree.data, kind="stable")
    return tree.row[order], tree.col[order], tree.data[order]


class Forest:
    """Union-find over n pixels with size and inner difference of every component."""

    def __init__(self, n: int):
        self.above, self.size, self.inner = list(range(n)), [1] * n, [0.0] * n

    def root(self, i: int) -> int:
        """The representative of pixel i."""
        above = self.above
        while above[i] != i:
            above[i] = above[above[i]]
            i = above[i]
        return i

    def join(self, a: int, b: int, weight: float) -> None:
        """Joins two roots by an edge of this weight."""
        self.above[b] = a
        self.size[a] += self.size[b]
        self.inner[a] = weight


def merge(image: np.ndarray, k: float, smallest: int, blur: float = 1.0) -> np.ndarray:
    """Region index int (h, w) of a picture (h, w, 3): larger `k` prefers larger regions, none has fewer than `smallest` pixels."""
    h, w = image.shape[:2]
    rows, columns, weights = spanning_edges(gaussian_filter(image.astype(np.float32), (blur, blur, 0)))
    forest = Forest(h * w)
    edges = list(zip(rows.tolist(), columns.tolist(), weights.tolist()))
    for a, b, weight in edges:
        a, b = forest.root(a), forest.root(b)
        if a != b and weight <= min(forest.inner[a] + k / forest.size[a], forest.inner[b] + k / forest.size[b]):
            forest.join(a, b, weight)
    for a, b, weight in edges:
        a, b = forest.root(a), forest.root(b)
        if a != b and min(forest.size[a], forest.size[b]) < smallest:
            forest.join(a, b, weight)
    roots = np.array([forest.root(i) for i in range(h * w)])
    return np.unique(roots, return_inverse=True)[1].reshape(h, w)
