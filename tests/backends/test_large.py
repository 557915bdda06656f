"""Large pictures wait for each other, so that four of them take the memory of one."""
import io
from threading import Event, Thread

import numpy as np
from PIL import Image

from backends import images, large
from backends.segment import Segmenter


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(out, "png")
    return out.getvalue()


def test_a_large_picture_waits_for_its_turn_and_a_small_one_does_not(monkeypatch):
    monkeypatch.setattr(large, "PIXELS", 400)
    read, wide, small = Event(), png(40, 20), png(20, 20)
    waiting = Thread(target=lambda: (images.load(wide), read.set()))
    with large.turn((30, 30)):
        images.load(wide)                           # the thread whose turn it is may go on
        waiting.start()
        beside = Thread(target=images.load, args=(small,))
        beside.start()
        beside.join(60)
        assert not beside.is_alive() and not read.wait(0.05)
    waiting.join(60)
    assert read.is_set()


def test_a_turn_ends_with_an_error_too(monkeypatch):
    monkeypatch.setattr(large, "PIXELS", 1)
    try:
        with large.turn((2, 2)):
            raise ValueError
    except ValueError:
        other = Thread(target=lambda: large.turn((2, 2)).__enter__())
        other.start()
        other.join(60)
    assert not other.is_alive()


def test_the_header_says_the_size_and_nothing_of_what_is_no_picture(tmp_path):
    (tmp_path / "a.png").write_bytes(png(31, 7))
    (tmp_path / "b.png").write_text("no picture")
    assert images.header_size(tmp_path / "a.png") == (31, 7) and images.header_size(tmp_path / "b.png") == (0, 0)


def test_masks_of_a_large_picture_are_cut_one_by_one_and_are_the_same(monkeypatch):
    segmenter = Segmenter("tiny")
    e = segmenter.embed(images.sample("chelsea"))
    logits, _ = segmenter.decode(e, [[200, 150]], [1], multimask=True)
    expected = segmenter.masks(e, logits)
    assert np.array_equal(expected, np.asarray(segmenter.upscale(e, logits) > 0))
    shapes = []
    monkeypatch.setattr(large, "PIXELS", 1)
    monkeypatch.setattr(segmenter, "upscale", lambda e, low: shapes.append(len(low)) or Segmenter.upscale(
        segmenter, e, low))
    assert (segmenter.masks(e, logits) != expected).mean() < 1e-5 and shapes == [1, 1, 1]
