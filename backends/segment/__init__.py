"""Click-to-segment: `Segmenter` is the door; see `segmenter`, `everything`, `interact`, `rle` and `formats`."""
from backends.segment.errors import SegmentError
from backends.segment.models import MODELS
from backends.segment.segmenter import Embedding, Prediction, Segmenter

__all__ = ["MODELS", "Embedding", "Prediction", "SegmentError", "Segmenter"]
