"""Fixtures of the page's tests: its configuration, and those of the Segment tab's tests, for all files that test it."""

import pytest

from tests.ui.segmenting import fake, folder, kept
from ui import TABS

__all__ = ["config", "fake", "folder", "kept"]


@pytest.fixture(scope="session")
def config():
    """The configuration of the whole page, as the browser gets it."""
    from ui.core.shell import build

    return build(TABS).get_config_file()
