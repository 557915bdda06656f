"""From a picture and clicks to masks: one path for the shipped model and for every official checkpoint.

Segment Anything (Kirillov et al. 2023, arXiv 2304.02643) splits the work: the encoder runs once per picture, the
decoder once per click.  `Segmenter` keeps nothing about a picture; embeddings live in one cache of the whole process,
keyed by what they depend on, so that two users share work and never pictures.

Frames: pixels of the picture (x, y); the model's input, where the longer side is L = `image_encoder.img_size` and the
rest is zeros at the right and bottom; its low-resolution logits (h, w), which cover that whole input.
Letters: N points, M masks, (H, W) picture, g grid side, C channels of the features.

Reference: segment_anything/predictor.py; for official architectures the results are equal up to rounding.
"""
from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor

from backends import device as devices
from backends import images, large, machine
from backends.cache import ByteLRU
from backends.segment import everything, prompts
from backends.segment.errors import SegmentError
from backends.segment.models import Source

EMBEDDINGS = ByteLRU(machine.share(0.08, 2 << 30))     # one takes 4 MiB, of `tiny` 7: of 16 GB, those of 180 visitors


@dataclass(frozen=True)
class Embedding:
    """What the encoder made of one picture.

    features float32 (1, C, g, g) on the model's device; size (H, W) of the picture; input_size (h, w) of the resized
    picture inside the model's input; key (model, weights digest, picture digest); milliseconds that the encoder took
    when it ran; cached: it had run before.
    """

    features: Tensor
    size: tuple[int, int]
    input_size: tuple[int, int]
    key: tuple[str, str, str]
    milliseconds: float
    cached: bool


@dataclass(frozen=True)
class Prediction:
    """masks bool (M, H, W); scores float32 (M,), the model's own guess of each mask's IoU, clamped to [0, 1]; logits
    float32 (M, h, w), which can be given back as `mask` with the next click; milliseconds of decoding and upscaling.
    """

    masks: np.ndarray
    scores: np.ndarray
    logits: np.ndarray
    milliseconds: float


def check_image(image: np.ndarray) -> None:
    """Raises SegmentError unless `image` is uint8 (H, W, 3)."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise SegmentError(f"A picture must be a uint8 array, not {getattr(image, 'dtype', type(image).__name__)}.")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise SegmentError(f"A picture must have shape (H, W, 3), not {image.shape}.")


def _digest_of_module(sam: Sam) -> str:
    sha = hashlib.sha256()
    for key, value in sorted(sam.state_dict().items()):
        sha.update(key.encode() + devices.array(value).tobytes())
    return sha.hexdigest()


class Segmenter:
    """A model on a device.  Cheap to make: the weights are read on first use and shared by the whole process."""

    def __init__(self, model: str | Path = "tiny", device: str | torch.device | None = None,
                 alone: bool = False) -> None:
        """`model`: tiny, vit_b, vit_l, vit_h, mobile_sam, or the path of a checkpoint; `device`: as for device.resolve;
        `alone`: its weights are held by this object alone, and go with it.

        Raises SegmentError for a name that is neither; what is wrong with a file is raised when it is first used.
        """
        self._source, self._alone = Source.of(model), alone
        self.name = self._source.name
        self.device = devices.default() if device is None else devices.resolve(str(device))

    @classmethod
    def of(cls, sam: Sam, name: str, digest: str | None = None) -> Segmenter:
        """A Segmenter around a module that is at hand, on the module's device; `digest` defaults to one of its
        weights."""
        self = cls.__new__(cls)
        self.name, self.device = name, torch.device(sam.device)
        self.sam, self.digest = sam.eval(), digest or _digest_of_module(sam)
        return self

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the weights file."""
        return self._source.digest()

    @cached_property
    def sam(self) -> Sam:
        """The module, in evaluation mode.  Raises WeightsError or SegmentError if its file cannot be used."""
        return self._source.read(self.device)[0] if self._alone else self._source.load(self.digest, self.device)

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process, which reads the weights by itself where they come from a file."""
        return {name: value for name, value in self.__dict__.items() if name != "sam" or "_source" not in self.__dict__}

    def embed(self, image: np.ndarray) -> Embedding:
        """The expensive step: uint8 (H, W, 3) RGB -> Embedding.  Raises SegmentError on another array.

        One picture is encoded once per process and model, however many threads ask for it.
        """
        check_image(image)
        key = (self.name, self.digest, images.digest(image))
        found, cached = EMBEDDINGS.get_or_compute((*key, str(self.device)), lambda: self._sized(image, key))
        return replace(found, cached=cached)

    def embedded(self, image: np.ndarray) -> Embedding | None:
        """`embed` where the encoder has run before and its answer is still held, else None."""
        check_image(image)
        found = EMBEDDINGS.get((self.name, self.digest, images.digest(image), str(self.device)))
        return found and replace(found, cached=True)

    def _sized(self, image: np.ndarray, key: tuple[str, str, str]) -> tuple[Embedding, int]:
        embedding = self.encode(image, key)
        return embedding, embedding.features.nbytes

    @torch.no_grad()
    def encode(self, image: np.ndarray, key: tuple[str, str, str]) -> Embedding:
        """`embed` without the cache, for pictures that are needed once; `key` is put into the result."""
        start = time.perf_counter()
        side = self.sam.image_encoder.img_size
        if min(ResizeLongestSide.get_preprocess_shape(*image.shape[:2], side)) < 1:
            raise SegmentError(f"A picture of {image.shape[1]} x {image.shape[0]} pixels is too narrow for this model.")
        resized = torch.as_tensor(ResizeLongestSide(side).apply_image(image), device=self.device)
        pixels = resized.permute(2, 0, 1).contiguous()[None]
        with devices.autocast(self.device):
            features = self.sam.image_encoder(self.sam.preprocess(pixels))
        features = features.float()
        devices.wait(self.device)
        ms = 1e3 * (time.perf_counter() - start)
        return Embedding(features, image.shape[:2], tuple(pixels.shape[-2:]), key, ms, False)

    def predict(self, e: Embedding, points: Any = None, labels: Any = None, box: Any = None, mask: Any = None,
                multimask: bool | None = None) -> Prediction:
        """The cheap step.  All coordinates are (x, y) pixels of the picture.

        points (N, 2) with labels (N,) 1 or 0; box (4,) as x0, y0, x1, y1, in any order; mask (h, w) logits of an
        earlier prediction.  multimask: three masks (True), one (False), or three for a single point and one for
        anything clearer (None).  Raises SegmentError.
        """
        start = time.perf_counter()
        logits, scores = self.decode(e, points, labels, box, mask, multimask)
        masks, scores, logits = self.masks(e, logits), devices.array(scores.clamp(0, 1)), devices.array(logits)
        return Prediction(masks, scores, logits, 1e3 * (time.perf_counter() - start))

    def predict_all(self, e: Embedding, asks: Sequence[dict[str, Any]]) -> list[Prediction | SegmentError]:
        """`predict` for many prompts on one picture, or why not: those of one form are decoded at once."""
        found: list[Any] = [None] * len(asks)
        forms: dict[tuple, list[int]] = {}
        for k, ask in enumerate(asks):
            clicks = {name for name, value in ask.items() if value is not None} <= {"points", "labels"}
            count = len(ask["points"]) if clicks and ask.get("points") is not None else 0
            forms.setdefault(("clicks", count) if count else (k,), []).append(k)
        for places in forms.values():
            try:
                made = [self.predict(e, **asks[places[0]])] if len(places) == 1 else self._at_once(e, [
                    asks[k] for k in places])
            except SegmentError as error:
                made = [error] if len(places) == 1 else [self.predict_all(e, [asks[k]])[0] for k in places]
            for k, answer in zip(places, made, strict=True):
                found[k] = answer
        return found

    def _at_once(self, e: Embedding, asks: Sequence[dict[str, Any]]) -> list[Prediction]:
        """Prompts of equally many points."""
        start, to_input = time.perf_counter(), ResizeLongestSide(self.sam.image_encoder.img_size)
        checked = [prompts.check(ask["points"], ask.get("labels"), None, None, e.size, None) for ask in asks]
        xy = self._tensor(np.stack([to_input.apply_coords(p.points, e.size) for p in checked]))
        marks = torch.as_tensor(np.stack([p.labels for p in checked]), dtype=torch.int, device=self.device)
        logits, scores = self.decode_batch(e, xy, marks, None, None, checked[0].ambiguous)
        ms = 1e3 * (time.perf_counter() - start) / len(asks)
        return [Prediction(self.masks(e, low), devices.array(score.clamp(0, 1)), devices.array(low), ms)
                for low, score in zip(logits, scores, strict=True)]

    def decode(self, e: Embedding, points: Any = None, labels: Any = None, box: Any = None, mask: Any = None,
               multimask: bool | None = None) -> tuple[Tensor, Tensor]:
        """`predict` before upscaling and clamping: logits float32 (M, h, w) and raw scores float32 (M,)."""
        if e.key[:2] != (self.name, self.digest):
            raise SegmentError("This embedding was made by another model.")
        shape = getattr(self.sam.prompt_encoder, "mask_input_size", None)
        prompt = prompts.check(points, labels, box, mask, e.size, shape and tuple(shape))
        to_input = ResizeLongestSide(self.sam.image_encoder.img_size)
        xy = None if prompt.points is None else self._tensor(to_input.apply_coords(prompt.points, e.size))[None]
        marks = (None if prompt.labels is None
                 else torch.as_tensor(prompt.labels, dtype=torch.int, device=self.device)[None])
        corners = None if prompt.box is None else self._tensor(to_input.apply_boxes(prompt.box, e.size))
        previous = None if prompt.mask is None else self._tensor(prompt.mask)[None, None]
        several = prompt.ambiguous if multimask is None else multimask
        logits, scores = self.decode_batch(e, xy, marks, corners, previous, several)
        return logits[0], scores[0]

    def _tensor(self, array: np.ndarray) -> Tensor:
        """float32 on the device: there is no float64 on MPS."""
        return torch.as_tensor(array.astype(np.float32), device=self.device)

    @torch.no_grad()
    def decode_batch(self, e: Embedding, points: Tensor | None, labels: Tensor | None, boxes: Tensor | None,
                     masks: Tensor | None, multimask: bool) -> tuple[Tensor, Tensor]:
        """B prompts at once, in the frame of the model's input, unchecked.

        points float32 (B, N, 2), labels int (B, N), boxes (B, 4), masks (B, 1, h, w) -> logits float32 (B, M, h, w) and
        raw scores float32 (B, M).
        """
        sam = self.sam
        sparse, dense = sam.prompt_encoder(points=None if points is None else (points, labels),
                                           boxes=boxes, masks=masks)
        logits, scores = sam.mask_decoder(image_embeddings=e.features, image_pe=sam.prompt_encoder.get_dense_pe(),
                                          sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense,
                                          multimask_output=multimask)
        return logits.float(), scores.float()

    @torch.no_grad()
    def upscale(self, e: Embedding, logits: Tensor | np.ndarray) -> Tensor:
        """Logits (M, h, w) -> float32 (M, H, W) in pixels of the picture; > `sam.mask_threshold` is the mask."""
        logits = torch.as_tensor(logits, device=self.device)
        return self.sam.postprocess_masks(logits[None], e.input_size, e.size)[0]

    def masks(self, e: Embedding, logits: Tensor | np.ndarray) -> np.ndarray:
        """Logits (M, h, w) -> masks bool (M, H, W): `upscale` over the threshold.  Of a large picture one after the
        other, since 40 megapixels of float32 are 160 MB a mask; torch rounds single ones otherwise in the last bit.
        """
        parts = list(torch.as_tensor(logits)[:, None]) if large.waits(e.size) else [logits]
        return np.concatenate([devices.array(self.upscale(e, part) > self.sam.mask_threshold) for part in parts])

    def everything(self, image: np.ndarray, points_per_side: int = 12, points_per_batch: int = 16,
                   pred_iou_thresh: float = 0.88, stability_score_thresh: float = 0.95,
                   stability_score_offset: float = 1.0, box_nms_thresh: float = 0.7,
                   crop_n_layers: int = 0, crop_nms_thresh: float = 0.7, crop_overlap_ratio: float = 512 / 1500,
                   crop_n_points_downscale_factor: int = 1,
                   min_mask_region_area: int = 0, skip_covered: bool = False) -> Iterator[everything.Batch]:
        """Masks of everything in the picture, streamed; see `backends.segment.everything` for what each number does.

        `image` uint8 (H, W, 3).  Yields a Batch after every batch of grid points; the last has `final=True` and the
        list that SamAutomaticMaskGenerator returns at equal settings; with `skip_covered` nearly that list, in less
        than a third of the time, see `backends.segment.everything`.  Closing the generator stops the work.
        Raises SegmentError at once on a bad picture or parameter.
        """
        params = {k: v for k, v in locals().items() if k not in ("self", "image")}
        check_image(image)
        return everything.run(self, image, everything.Params(**params))
