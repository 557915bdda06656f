"""Masks of everything in a picture: a grid of clicks, filtered, without duplicates, streamed as it is found.

Segment Anything (arXiv 2304.02643, appendix B); reference: segment_anything/automatic_mask_generator.py, whose final
list this one equals at equal settings, record for record.  What differs: results stream, the caller may stop at any
batch, the defaults suit a CPU, small regions are removed without OpenCV, and no more than a few full-size masks are in
memory at a time (a mask is kept as run lengths and unpacked when its record is read).

What the numbers in `Params` do: every grid point is clicked and gives three masks.  A mask stays if the model rates it
above `pred_iou_thresh` (tuned for ViT-H; smaller models rate themselves differently), if it hardly changes when its
threshold moves by +-`stability_score_offset` (IoU of the two at least `stability_score_thresh`), and if no better mask
has nearly the same *box* (box IoU over `box_nms_thresh`; a ring and its content collide).  `crop_n_layers` = n repeats
it all on 4, 16, ... overlapping crops, each of which runs the encoder again.  `min_mask_region_area` fills holes and
removes islands *inside* a mask that are smaller than so many pixels; it is not a minimum size of masks.

`skip_covered` is the quick way, near the list of the official generator but not equal to it: points are clicked from
coarse to fine, those of whose surroundings enough is known (`tuned.COVERS`) are left out, masks are filtered at low
resolution before they are upscaled (`sift`), and on a CPU the decoder runs its quick way (`quick`).

Encoding, decoding and upscaling run on the model's device; ratings, boxes and their suppression are short lists, and
stay on the host.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from segment_anything.utils.amg import build_all_layer_point_grids, generate_crop_boxes, is_box_near_crop_edge
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor
from torchvision.ops.boxes import batched_nms

from backends import device, stop
from backends.device import HOST
from backends.drawn import hosted
from backends.segment import quick, rle, sift
from backends.segment.clean import remove_small_regions
from backends.segment.errors import SegmentError

if TYPE_CHECKING:
    from backends.segment.segmenter import Embedding, Segmenter


@dataclass(frozen=True)
class Params:
    """Settings; the module's docstring says what each does.  Raises SegmentError on values that make no sense."""

    points_per_side: int = 12
    points_per_batch: int = 16
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    min_mask_region_area: int = 0
    skip_covered: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SegmentError(f"{name} must lie between {low} and {high}, not {value}.")
        if self.points_per_side < self.crop_n_points_downscale_factor**self.crop_n_layers:
            raise SegmentError("crop_n_points_downscale_factor leaves no point for the smallest crops.")


LIMITS: dict[str, tuple[float, float]] = {
    "points_per_side": (1, 128), "points_per_batch": (1, 1024), "pred_iou_thresh": (0, 1),
    "stability_score_thresh": (0, 1),
    "stability_score_offset": (0, 100), "box_nms_thresh": (0, 1), "crop_n_layers": (0, 3), "crop_nms_thresh": (0, 1),
    "crop_overlap_ratio": (0, 0.9), "crop_n_points_downscale_factor": (1, 8), "min_mask_region_area": (0, 10**8),
}


@dataclass(frozen=True)
class Candidate:
    """One mask that passed the filters: column-major run lengths of the whole picture, box xyxy in its pixels,
    scores."""

    runs: np.ndarray
    size: tuple[int, int]
    box: tuple[int, int, int, int]
    iou: float
    stability: float
    point: tuple[float, float]
    crop: tuple[int, int, int, int]


class Record(Mapping):
    """One mask, read like the dict of SamAutomaticMaskGenerator.

    segmentation bool (H, W), unpacked anew on each access; area in pixels; bbox [x, y, w, h] with w = x1 - x0 between
    pixel *indices* (one less than COCO's width, as in the original); predicted_iou, the model's own rating, unclamped;
    point_coords [[x, y]]; stability_score in [0, 1]; crop_box [x, y, w, h].  `rle` is the mask as COCO RLE.
    """

    KEYS = ("segmentation", "area", "bbox", "predicted_iou", "point_coords", "stability_score", "crop_box")

    def __init__(self, candidate: Candidate) -> None:
        self._c = candidate

    def __getitem__(self, key: str) -> Any:
        c = self._c
        if key == "segmentation":
            return rle.mask_of(c.runs, c.size)
        return {"area": int(c.runs[1::2].sum()), "bbox": _xywh(c.box), "predicted_iou": c.iou,
                "point_coords": [list(c.point)],
                "stability_score": c.stability, "crop_box": _xywh(c.crop)}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.KEYS)

    def __len__(self) -> int:
        return len(self.KEYS)

    @property
    def rle(self) -> dict[str, Any]:
        """{"size": [H, W], "counts": text} as of pycocotools."""
        return {"size": list(self._c.size), "counts": rle.pack(self._c.runs)}


@dataclass(frozen=True)
class Batch:
    """`records` found by the last batch of points and not beaten by what is known so far, best first; `done` of `total`
    points are clicked.  If `final`, `records` is the whole result, and earlier batches may hold records that it lacks.
    """

    done: int
    total: int
    records: list[Record]
    final: bool = False


@dataclass
class _Crop:
    """A crop xyxy of the picture, its embedding, the points to click (n, 2) in its own pixels, and what was found."""

    box: tuple[int, int, int, int]
    points: np.ndarray
    found: list[Candidate] = field(default_factory=list)


def _xywh(box: tuple[int, int, int, int]) -> list[int]:
    x0, y0, x1, y1 = box
    return [x0, y0, x1 - x0, y1 - y0]


def run(segmenter: Segmenter, image: np.ndarray, params: Params) -> Iterator[Batch]:
    """Checks, then the generator of `Segmenter.everything`.  `image` uint8 (H, W, 3)."""
    crops = _crops(image.shape[:2], params)
    if any(x1 <= x0 or y1 <= y0 for x0, y0, x1, y1 in (crop.box for crop in crops)):
        raise SegmentError(f"A picture of {image.shape[1]} x {image.shape[0]} pixels cannot be cut into so many crops.")
    stop.install()
    return _stream(segmenter, image, params, crops)


def _crops(size: tuple[int, int], params: Params) -> list[_Crop]:
    boxes, layers = generate_crop_boxes(size, params.crop_n_layers, params.crop_overlap_ratio)
    grids = build_all_layer_point_grids(params.points_per_side, params.crop_n_layers,
                                        params.crop_n_points_downscale_factor)
    return [_Crop(tuple(box), grids[i] * (box[2] - box[0], box[3] - box[1]))
            for box, i in zip(boxes, layers, strict=True)]


def _stream(segmenter: Segmenter, image: np.ndarray, params: Params, crops: list[_Crop]) -> Iterator[Batch]:
    total, done, kept = sum(len(crop.points) for crop in crops), 0, []
    clicker = quick.quickened(segmenter) if params.skip_covered else segmenter
    for crop in crops:
        e = _embedded(segmenter, image, crop.box)
        grid = sift.Grid(crop.points, e.size, params.skip_covered)
        while len(points := grid.next(params.points_per_batch)):
            stop.check()
            new = _click(clicker, e, points, grid, crop, image.shape[:2], params)
            crop.found += new
            fresh = {id(c) for c in new}
            yield Batch(done + grid.done, total, [Record(c) for c in _best(crop.found, params) if id(c) in fresh])
        done += len(crop.points)
        kept += _best(crop.found, params)
        crop.found.clear()
    yield Batch(total, total, [Record(c) for c in _final(kept, len(crops), params)], final=True)


def _embedded(segmenter: Segmenter, image: np.ndarray, crop: tuple[int, int, int, int]) -> Embedding:
    """The whole picture goes through the cache; a crop is needed once, and would crowd out other pictures."""
    x0, y0, x1, y1 = crop
    if image.shape[:2] == (y1 - y0, x1 - x0):
        return segmenter.embed(image)
    return segmenter.encode(np.ascontiguousarray(image[y0:y1, x0:x1]), (segmenter.name, segmenter.digest, ""))


@hosted
def _suppress(boxes: list[tuple[int, ...]], scores: list[float], threshold: float) -> list[int]:
    """Indices that non-maximum suppression keeps, best score first."""
    if not boxes:
        return []
    categories = torch.zeros(len(boxes))
    return batched_nms(torch.tensor(boxes).float(), torch.tensor(scores), categories, threshold).tolist()


def _best(found: list[Candidate], params: Params) -> list[Candidate]:
    return [found[i] for i in _suppress([c.box for c in found], [c.iou for c in found], params.box_nms_thresh)]


@hosted
def _final(kept: list[Candidate], crops: int, params: Params) -> list[Candidate]:
    """The result: between crops the smaller crop wins; then small regions go, and masks untouched by that win."""
    if crops > 1:
        areas = [(c.crop[2] - c.crop[0]) * (c.crop[3] - c.crop[1]) for c in kept]
        scores = (1 / torch.tensor(areas)).tolist()
        kept = [kept[i] for i in _suppress([c.box for c in kept], scores, params.crop_nms_thresh)]
    if params.min_mask_region_area == 0:
        return kept
    cleaned = [_cleaned(c, params.min_mask_region_area) for c in kept]
    same = [float(new is old) for new, old in zip(cleaned, kept, strict=True)]
    boxes = [_box(rle.mask_of(c.runs, c.size)) for c in cleaned]
    return [cleaned[i] for i in _suppress(boxes, same, max(params.box_nms_thresh, params.crop_nms_thresh))]


def _click(segmenter: Segmenter, e: Embedding, points: np.ndarray, grid: sift.Grid, crop: _Crop,
           size: tuple[int, int], params: Params) -> list[Candidate]:
    """Candidates of one batch of points (n, 2), in the order of points and, for each, of its three masks."""
    xy = input_points(points, e.size, segmenter.sam.image_encoder.img_size)[:, None].to(segmenter.device)
    labels = torch.ones(xy.shape[:2], dtype=torch.int, device=segmenter.device)
    logits, ious = segmenter.decode_batch(e, xy, labels, None, None, True)
    each = logits.shape[1]
    logits, ious = logits.flatten(0, 1), ious.flatten().to(HOST)
    rated = (range(len(ious)) if params.pred_iou_thresh == 0
             else torch.nonzero(ious > params.pred_iou_thresh).flatten().tolist())
    if grid.skips:
        rated = _sifted(segmenter, e, logits, ious, list(rated), each, grid, crop, params)
    found = []
    for i, full in zip(rated, _upscaled(segmenter, e, logits[rated]), strict=True):
        stop.check()
        c = _candidate(full, segmenter.sam.mask_threshold, params)
        if c is None or _cut_off(c.box, crop.box, size):
            continue
        x, y = points[i // each] + crop.box[:2]
        found.append(_uncropped(replace(c, iou=ious[i].item(), point=(float(x), float(y)), crop=crop.box), size))
    return found


@hosted
def _sifted(segmenter: Segmenter, e: Embedding, logits: Tensor, ious: Tensor, rated: list[int], each: int,
            grid: sift.Grid, crop: _Crop, params: Params) -> list[int]:
    """Of the `rated` masks those that look stable and unbeaten at low resolution; the best of each click covers points
    of the grid."""
    side, threshold = segmenter.sam.image_encoder.img_size, segmenter.sam.mask_threshold
    h, w = (max(1, round(logits.shape[1] * pixels / side)) for pixels in e.input_size)
    low = logits[rated, :h, :w].to(HOST)
    fit = sift.stable(low, threshold, params.stability_score_offset, params.stability_score_thresh)
    rated, masks = [i for i, good in zip(rated, fit.tolist(), strict=True) if good], low[fit] > threshold
    full = masks.flatten(1).any(1)
    rated, masks = [i for i, some in zip(rated, full.tolist(), strict=True) if some], masks[full]
    if not rated:
        return []
    best = {i // each: k for k, i in sorted(enumerate(rated), key=lambda pair: ious[pair[1]])}
    grid.cover(device.array(masks[list(best.values())]))
    corner = torch.tensor([*crop.box[:2], *crop.box[:2]])
    known = torch.tensor([c.box for c in crop.found]).float().reshape(-1, 4)
    kept = sift.unbeaten(sift.boxes_of(masks, e.size) + corner, ious[rated], known,
                         torch.tensor([c.iou for c in crop.found]), params.box_nms_thresh, sift.small(masks))
    return [rated[k] for k in kept]


def input_points(points: np.ndarray, size: tuple[int, int], side: int) -> Tensor:
    """Points (n, 2) of a picture of `size` (H, W) in the model's frame, float32 (n, 2), on the host.

    SamAutomaticMaskGenerator passes float64, which MPS lacks; the prompt encoder adds half a pixel and only then
    rounds to float32.  Rounding here *after* adding that half, and taking it off again (exact), gives the same sums.
    """
    shifted = (ResizeLongestSide(side).apply_coords(points, size) + 0.5).astype(np.float32)
    return torch.from_numpy(shifted - np.float32(0.5))


def _upscaled(segmenter: Segmenter, e: Embedding, logits: Tensor) -> Iterator[Tensor]:
    """(k, h, w) -> k full-size float32 (H, W), three at a time.

    Always three, filled up with the last: torch interpolates pictures of three channels by a routine of their own,
    which differs from the others in the last bit, and the original upscales three masks per point.
    """
    for start in range(0, len(logits), 3):
        some = logits[start : start + 3]
        yield from segmenter.upscale(e, torch.cat([some, some[-1:].expand(3 - len(some), -1, -1)]))[: len(some)]


def _candidate(full: Tensor, threshold: float, params: Params) -> Candidate | None:
    """From full-size logits (H, W) of a crop, or None if the mask is not stable."""
    high, low = ((full > threshold + params.stability_score_offset).sum(),
                 (full > threshold - params.stability_score_offset).sum())
    stability = high / low  # float32, and NaN for 0 / 0, which no threshold lets through
    if params.stability_score_thresh > 0 and not stability >= params.stability_score_thresh:
        return None
    mask = device.array(full > threshold)
    return Candidate(rle.counts(mask), mask.shape, _box(mask), 0.0, stability.item(), (0.0, 0.0), (0, 0, 0, 0))


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1: first and last column and row that `mask` (H, W) touches; zeros for an empty mask."""
    xs, ys = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return (int(xs[0]), int(ys[0]), int(xs[-1]), int(ys[-1])) if len(xs) else (0, 0, 0, 0)


@hosted
def _cut_off(box: tuple[int, ...], crop: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Does the mask end near an edge of the crop that is no edge of the picture?  Then it is a part of something."""
    return bool(is_box_near_crop_edge(torch.tensor([box]), list(crop), [0, 0, size[1], size[0]])[0])


def _uncropped(c: Candidate, size: tuple[int, int]) -> Candidate:
    """The candidate of a crop in the frame of the picture of `size` (H, W)."""
    x0, y0, x1, y1 = c.crop
    if (y1 - y0, x1 - x0) == tuple(size):
        return c
    whole = np.zeros(size, bool)
    whole[y0:y1, x0:x1] = rle.mask_of(c.runs, c.size)
    a, b, p, q = c.box
    return replace(c, runs=rle.counts(whole), size=tuple(size), box=(a + x0, b + y0, p + x0, q + y0))


def _cleaned(c: Candidate, area: float) -> Candidate:
    """Without holes and islands below `area`; the very same object if there were none."""
    stop.check()
    mask, filled = remove_small_regions(rle.mask_of(c.runs, c.size), area, "holes")
    mask, cut = remove_small_regions(mask, area, "islands")
    return replace(c, runs=rle.counts(mask), box=_box(mask)) if filled or cut else c
