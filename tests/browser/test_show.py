"""What a newcomer does first, on the real app with the shipped weights: click on the cat, get the cat, and take it
along."""

from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from tests.browser.board import Board

CAT = [(188, 112), (315, 139), (225, 150), (230, 60), (250, 200)]
"""Irises, bridge of the nose, forehead, muzzle; and three points of what lies behind the cat."""
BEHIND = [(430, 230), (440, 130), (15, 60)]


def mask_of(board: Board, kind: str) -> np.ndarray:
    board.page.select_option(f"{board.root} .gx-format", kind)
    with board.page.expect_download() as download:
        board.tool("download")
    return np.asarray(Image.open(BytesIO(Path(download.value.path()).read_bytes())))


def test_click_on_the_cat_get_the_cat_take_a_part_away_and_save_it(page):
    board = Board(page, "segment-canvas").ready("chelsea")
    board.click(195, 155)
    board.settled()
    mask = mask_of(board, "mask") > 0
    assert all(mask[y, x] for x, y in CAT) and not any(mask[y, x] for x, y in BEHIND)
    board.click(60, 60, button="right")
    board.settled()
    alpha = mask_of(board, "cutout")[..., 3] > 0
    assert alpha.sum() < 0.9 * mask.sum() and not alpha[60, 60]


def test_a_copied_link_shows_the_same_numbers_to_a_stranger(page, open_page, app_url):
    board = Board(page, "segment-canvas").ready("chelsea")
    board.click(240, 70)
    first = board.settled().state()
    page.click("#segment-link")
    link = page.input_value("#gb-share-text")
    assert urlsplit(link).netloc == urlsplit(app_url).netloc
    second = Board(open_page(link), "segment-canvas").ready("chelsea").state()
    assert second["areas"] == first["areas"] and second["scores"] == first["scores"]


def test_everything_mode_finds_several_things_on_the_coffee_table(page):
    board = Board(page, "segment-canvas").ready("chelsea")
    page.click(f"{board.root} .gx-sample[data-id=coffee]")
    board.ready("coffee")
    page.click("#segment-find")
    page.wait_for_function("s => document.querySelector(s + ' .gx-canvas').__gx.state().records > 3", arg=board.root)
