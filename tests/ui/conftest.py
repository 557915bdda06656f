"""Fixtures of the Segment tab's tests, for all files that test it."""

from tests.ui.segmenting import fake, folder, kept

__all__ = ["fake", "folder", "kept"]
