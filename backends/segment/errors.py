"""The one exception of this package."""


class SegmentError(ValueError):
    """A prompt, picture, parameter or checkpoint that cannot be used; the message is one sentence that names the
    reason."""
