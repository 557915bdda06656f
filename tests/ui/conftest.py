"""Fixtures of the page's tests: its configuration, and those of the Segment tab's tests, for all files that test it."""

import pytest

from tests.ui.segmenting import fake, folder, kept
from ui import TABS

__all__ = ["config", "fake", "folder", "kept"]


@pytest.fixture(scope="session")
def built():
    """The whole page, not served."""
    from ui.core.shell import build

    return build(TABS)


@pytest.fixture(scope="session")
def config(built):
    """The configuration of the whole page, as the browser gets it."""
    return built.get_config_file()
