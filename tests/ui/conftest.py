"""Fixtures of the page's tests: its configuration, and those of the Segment tab's tests, for all files that test it."""

from types import SimpleNamespace

import pytest

from tests.conftest import played
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


def asked(page, message, params):
    """The answers to a message of a visitor whose widgets show ``params``."""
    async def collect():
        event, request = SimpleNamespace(_data={"turn": 5, **message}), SimpleNamespace(session_hash="ann")
        return [out async for out in page.said(request, event, *page.write(params))]

    return played(collect())
