"""Regions of an unlabelled photograph: pseudo-targets for click training, learned without human labels as in arXiv
2303.13399.

Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation" (IJCV 2004): pixels are joined along edges of
the grid, lightest first, while the edge is no heavier than Int(C) + k / |C| for both components C, Int(C) being the
heaviest edge that joined C.  Simplified: only edges of the minimum spanning tree are tried, weights are colour
distances after a blur, small regions are joined last.
"""
import numpy as np
from scipy.ndimage import gaussian_filter, zoom
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import minimum_spanning_tree


def spanning_edges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Minimum spanning tree of the 4-connected grid of a picture (h, w, 3): ends (e,), ends (e,), colour distance (e,),
    lightest first."""
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
    """Region index int (h, w) of a picture (h, w, 3): larger `k` prefers larger regions, none has fewer than `smallest`
    pixels."""
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


class Joining:
    """Neighbouring regions, joined pair by pair, the most alike first: what is left at any time is one level of a
    hierarchy.

    Cost of a pair: squared distance of their mean features, times sqrt(n m / (n + m)) (Ward's criterion, JASA 1963,
    with a root, so that large regions still may join), times how sharp their common border is.
    """

    def __init__(self, labels: np.ndarray, pixels: np.ndarray):
        """labels: region index int (h, w); pixels (h, w, d), the first three channels colour."""
        count = int(labels.max()) + 1
        self.size = np.bincount(labels.ravel(), minlength=count).astype(np.float64)
        sums = [np.bincount(labels.ravel(), pixels[..., i].ravel(), count) for i in range(pixels.shape[2])]
        self.mean = np.stack(sums, 1) / self.size[:, None]
        self.length, self.step = np.zeros((count, count)), np.zeros((count, count))
        for a, b in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
            height = np.abs(pixels[a][..., :3] - pixels[b][..., :3]).sum(-1)
            for one, other in ((labels[a], labels[b]), (labels[b], labels[a])):
                np.add.at(self.length, (one, other), 1)
                np.add.at(self.step, (one, other), height)
        np.fill_diagonal(self.length, 0)
        self.owner, self.left = np.arange(count), count
        self.cost = np.stack([self.costs(i) for i in range(count)])

    def costs(self, i: int) -> np.ndarray:
        """What joining region i with every other one costs: infinite without a common border."""
        far = ((self.mean - self.mean[i]) ** 2).sum(1)
        ward = np.sqrt(self.size * self.size[i] / (self.size + self.size[i]))
        sharp = 0.1 + self.step[i] / np.maximum(self.length[i], 1)
        return np.where(self.length[i] > 0, far * ward * sharp, np.inf)

    def join(self) -> None:
        """One step: the cheapest pair becomes one region."""
        a, b = np.unravel_index(self.cost.argmin(), self.cost.shape)
        whole = self.size[a] + self.size[b]
        self.mean[a] = (self.mean[a] * self.size[a] + self.mean[b] * self.size[b]) / whole
        self.size[a] = whole
        for table in (self.length, self.step):
            table[a] += table[b]
            table[:, a] = table[a]
            table[b], table[:, b], table[a, a] = 0, 0, 0
        self.cost[b], self.cost[:, b] = np.inf, np.inf
        self.cost[a] = self.cost[:, a] = self.costs(a)
        self.owner[self.owner == b] = a
        self.left -= 1


def levels(image: np.ndarray, counts: tuple[int, ...], features: np.ndarray | None = None) -> list[np.ndarray]:
    """Nested regions of a picture (h, w, 3) in 0..255: one index map (h, w) from 0 for each of the falling `counts`.

    features (c, h / n, w / n): what else makes places alike, say of a trained network; without them colour and
    roughness alone do.
    """
    h, w = image.shape[:2]
    soft = gaussian_filter(image.astype(np.float32), (1, 1, 0))
    grey = soft.mean(-1, keepdims=True)
    rough = np.sqrt(gaussian_filter((image.mean(-1, keepdims=True) - grey) ** 2, (3, 3, 0)))
    pixels = [(soft - grey) / 20, grey / 40, rough / 12]
    if features is not None:
        spread = features.std((1, 2)).max() + 1e-6
        pixels.append(zoom(features / spread, (1, h / features.shape[1], w / features.shape[2]),
                           order=1).transpose(1, 2, 0) * 0.7)
    joining = Joining(labels := merge(image, 40, 40), np.concatenate(pixels, -1))
    found = []
    for count in counts:
        while joining.left > max(count, 1):
            joining.join()
        found.append(np.unique(joining.owner[labels], return_inverse=True)[1].reshape(h, w))
    return found
