"""The download button: progress, stop, resume and verification, against a slow server of the test's own."""

import re

import pytest

from tests.browser.board import Board
from tests.conftest import serving

BAR = "#segment-progress [role=progressbar]"


@pytest.fixture
def board(open_page, tmp_path):
    with serving(["-m", "tests.browser.download_app", "--device", "cpu"], tmp_path) as address:
        yield Board(open_page(address), "segment-canvas").ready("chelsea")


def shown(text: str) -> float:
    """Megabytes that are there, as the page says."""
    return float(re.search(r"([\d.]+) MB of", text)[1])


def test_a_download_shows_progress_stops_resumes_and_becomes_the_model(board, tmp_path):
    page, part = board.page, tmp_path / "home" / "mobile_sam.pt.part"
    page.click("#segment-model label:has-text('MobileSAM')")
    page.click("#segment-download:has-text('MB')")
    page.wait_for_function(f"() => +document.querySelector('{BAR}')?.getAttribute('aria-valuenow') >= 10")
    first = shown(page.inner_text("#segment-progress"))
    page.click("#segment-stop-download")
    page.wait_for_selector("#segment-progress:has-text('resumes')")
    kept = shown(page.inner_text("#segment-progress"))
    assert 0 < first <= kept < 40 and abs(part.stat().st_size / 1e6 - kept) < 0.1
    assert page.is_hidden("#segment-stop-download") and page.is_enabled("#segment-download")
    page.click("#segment-download")
    page.wait_for_selector(BAR)
    assert shown(page.inner_text("#segment-progress")) >= kept
    page.wait_for_selector("#segment-model label:has-text('MobileSAM'):not(:has-text('not here'))")
    assert not part.exists() and part.with_suffix("").is_file()
    assert page.is_checked("#segment-model input[value=mobile_sam]") and page.is_hidden("#segment-download")
    board.settled()
    board.click(200, 150)
    assert len(board.settled().state()["areas"]) == 3
