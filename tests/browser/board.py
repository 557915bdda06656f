"""Handle on one click canvas in a page: picture coordinates in, state out."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page

CALM = """s => { const place = document.querySelector(s), text = place.outerHTML, now = performance.now();
    if (place.gbSeen !== text) Object.assign(place, { gbSeen: text, gbSince: now });
    return now - place.gbSince > 1200; }"""


def calm(page: Page, selector: str) -> None:
    """Wait until nothing has changed there for a while: a link's text may be answered twice, the second time with all
    other settings."""
    page.wait_for_function(CALM, arg=selector, polling=100)


def asking(page: Page, selector: str) -> list[str]:
    """What the page asks the server to compute from the time on when nothing moves at ``selector``; grows while the
    test goes on."""
    calm(page, selector)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "queue/join" in request.url else None)
    return asked


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    """Write a picture; gives its path."""
    image.save(path, **options)
    return path


def quadrants(size=(90, 60)) -> Image.Image:
    """Red, green / blue, white: the orientation can be read off the corners."""
    w, h = size
    pixels = np.zeros((h, w, 3), np.uint8)
    pixels[: h // 2, : w // 2], pixels[: h // 2, w // 2 :] = (255, 0, 0), (0, 255, 0)
    pixels[h // 2 :, : w // 2], pixels[h // 2 :, w // 2 :] = (0, 0, 255), (255, 255, 255)
    return Image.fromarray(pixels)


PHONE = {"width": 390, "height": 844}
WIDTH = "Math.max(...document.querySelectorAll('html, .gradio-container').values().map((node) => node.scrollWidth))"
"""How wide what stands on the page is: the container hides what sticks out, so the document itself never grows."""
MARK = """slug => { for (const plot of document.querySelectorAll(`#${slug}-plot .js-plotly-plot`)) plot.dataset.old = 1;
    return document.querySelector(`#${slug}-stage .gb-stages`)?.dataset.drawn; }"""
SHOWN = """([slug, drawn]) => { const stage = document.querySelector(`#${slug}-stage .gb-stages`);
    const plot = document.querySelector(`#${slug}-plot .js-plotly-plot:not([data-old]) .main-svg`);
    return plot?.getClientRects().length || (stage?.offsetParent && stage.dataset.drawn !== drawn); }"""


def narrow(page: Page, slug: str, *views: str) -> None:
    """No view needs sideways scrolling on the phone that shows the first of them; the others are chosen one by one."""
    for at, view in enumerate(views):
        if at:
            drawn = page.evaluate(MARK, slug)
            page.check(f"#{slug}-view input[value={view}]")
            page.wait_for_function(SHOWN, arg=[slug, drawn])
        assert page.evaluate(WIDTH) <= PHONE["width"], view


class Board:
    """The canvas with the given element id. Coordinates are picture pixels, (x, y); a click goes to the pixel's
    centre."""

    def __init__(self, page: Page, elem_id: str = "canvas") -> None:
        self.page = page
        self.root = f"#{elem_id} .gx"

    def ready(self, image_id: str) -> "Board":
        """Wait until the picture is shown and the last request is answered."""
        self.page.wait_for_selector(f'{self.root}[data-ready="{image_id}"]')
        return self.settled()

    def settled(self) -> "Board":
        """Wait until the newest request was answered and painted."""
        script = ("s => { const d = document.querySelector(s).dataset; return d.phase !== 'encode' && +d.shown > 0 && "
                  "d.sent === d.shown; }")
        self.page.wait_for_function(script, arg=self.root)
        return self

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds: what the page says reaches the server a little later than the screen."""
        ends = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < ends
            self.page.wait_for_timeout(20)

    def state(self) -> dict[str, Any]:
        return self.page.evaluate("s => document.querySelector(s + ' .gx-canvas').__gx.state()", self.root)

    def steps(self) -> list[dict[str, Any]]:
        """Steps of the active object."""
        state = self.state()
        return state["objects"][state["active"]]["steps"]

    def client(self, x: float, y: float) -> tuple[float, float]:
        """Window position of the centre of pixel (x, y); scrolls the page so that the canvas is in sight."""
        self.page.evaluate("s => document.querySelector(s + ' .gx-canvas').scrollIntoView({block: 'nearest'})",
                           self.root)
        script = "([s, x, y]) => document.querySelector(s + ' .gx-canvas').__gx.toClient(x + 0.5, y + 0.5)"
        return tuple(self.page.evaluate(script, [self.root, x, y]))

    def under(self, cx: float, cy: float) -> tuple[float, float]:
        """Picture position (floats) under a window position."""
        script = "([s, x, y]) => document.querySelector(s + ' .gx-canvas').__gx.toPicture(x, y)"
        return tuple(self.page.evaluate(script, [self.root, cx, cy]))

    def click(self, x: float, y: float, button: str = "left") -> None:
        self.page.mouse.click(*self.client(x, y), button=button)

    def drag(self, a: tuple[float, float], b: tuple[float, float], button: str = "left") -> None:
        self.page.mouse.move(*self.client(*a))
        self.page.mouse.down(button=button)
        end = self.client(*b)
        self.page.mouse.move(*end, steps=4)
        self.page.mouse.up(button=button)

    def wheel(self, delta: float, key: str | None = "Control") -> None:
        """Turn the wheel where the pointer is, with a key held."""
        if key:
            self.page.keyboard.down(key)
        self.page.mouse.wheel(0, delta)
        if key:
            self.page.keyboard.up(key)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def tool(self, name: str) -> None:
        """Press a button of the canvas by its class, e.g. "undo"."""
        self.page.click(f"{self.root} .gx-{name}")

    def sample(self, image_id: str) -> "Board":
        epoch = self.page.get_attribute(self.root, "data-epoch")
        self.page.click(f'{self.root} .gx-sample[data-id="{image_id}"]')
        self.page.wait_for_function("([s, e]) => document.querySelector(s).dataset.epoch !== e", arg=[self.root, epoch])
        return self.ready(image_id)

    def forget(self) -> None:
        """Empty the browser's storage of pictures and objects, as after a first visit."""
        self.page.evaluate("s => document.querySelector(s + ' .gx-canvas').__gx.forget()", self.root)

    def text(self, name: str) -> str:
        return self.page.inner_text(f"{self.root} .gx-{name}")

    def pixel(self, x: int, y: int) -> list[int]:
        """Painted RGBA at the centre of a picture pixel."""
        script = """([s, x, y]) => { const c = document.querySelector(s + ' .gx-canvas');
            const r = c.getBoundingClientRect(), k = c.width / r.width;
            const [cx, cy] = c.__gx.toClient(x + 0.5, y + 0.5);
            return [...c.getContext('2d').getImageData((cx - r.left) * k, (cy - r.top) * k, 1, 1).data]; }"""
        return self.page.evaluate(script, [self.root, x, y])

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """A touch event of the DevTools protocol (touchStart, touchMove, touchEnd) with one finger per window
        position."""
        spots = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        self._devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})

    def slide(self, fingers: tuple[tuple[float, float], ...], *by: tuple[float, float]) -> None:
        """Put fingers down, move each by its (dx, dy), lift them."""
        self.touch("touchStart", *fingers)
        self.touch("touchMove", *[(x + dx, y + dy) for (x, y), (dx, dy) in zip(fingers, by, strict=True)])
        self.touch("touchEnd")

    @cached_property
    def _devtools(self) -> Any:
        return self.page.context.new_cdp_session(self.page)
