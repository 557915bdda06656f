"""The Segment tab in the real frame with the disc segmenter in the place of ``tiny``: ``python -m
tests.browser.segment_app --port N``."""

import app
from backends import weights
from tests.discs import discs
from ui.tabs.segment import models


def main() -> None:
    """Serve the tab alone."""
    real, fake = models.Segmenter, discs()
    models.Segmenter = lambda name: fake if name == "tiny" else real(name)
    has = weights.available
    weights.available = lambda name: name == "segment-tiny" or has(name)
    from ui.core.shell import build
    from ui.tabs.segment import TAB

    app.launch(build((TAB,)), app.arguments())


if __name__ == "__main__":
    main()
