"""Pictures of presets for the home view: ``python -m tests.gallery`` takes those that are missing from the real page in
Chromium, and removes those of presets that are no more. ``--port`` takes them from a page that runs already,
``--readme`` takes the three of README.md instead."""

import argparse
import io
import os
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from PIL import Image

from tests.conftest import fetched, serving
from ui import TABS
from ui.core import home

SIZE = (320, 200)
README = (("segment", "One click, one cat", 760), ("swin", "Mask off: the leak", 492), ("attention", "A sentence", 576))
"""Tab, preset and height of the three pictures of README.md; all but the first begin below the views' names."""
FIGURE = ("(slug) => import(new URL('glass/js/picture.js', document.baseURI)).then(({ chartOf, stageOf }) => "
          "chartOf(slug) || stageOf(slug))")


def missing(tab):
    """The presets of a tab that have no picture and whose model is there."""
    return [p for p in tab.presets if not (home.GALLERY / home.picture(tab, p)).exists() and not fetched(tab, p.params)]


def framed(shot):
    """A screenshot's upper part as a WebP of the size of a card."""
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    width, height = image.size
    wanted = SIZE[0] / SIZE[1]
    if width / height > wanted:
        whole = Image.new("RGB", (width, round(width / wanted)), image.getpixel((0, 0)))
        whole.paste(image, (0, (whole.height - height) // 2))
    else:
        whole = image.crop((0, 0, width, round(width / wanted)))
    out = io.BytesIO()
    whole.resize(SIZE, Image.Resampling.LANCZOS).save(out, "webp", quality=72, method=6)
    return out.getvalue()


def take(browser, url, tab):
    """Take the missing pictures of one tab, on one page."""
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.set_default_timeout(120_000)
    page.goto(f"{url}?tab={tab.slug}")
    page.wait_for_selector("html[data-ready=true]", state="attached")
    for preset in missing(tab):
        page.evaluate("([slug, query]) => Promise.all(['wire', 'frame'].map((m) => import(new URL(`glass/js/${m}.js`, "
                      "document.baseURI)))).then(([wire, frame]) => { frame.visit(query); return wire.halted(slug); })",
                      [tab.slug, home.link(tab, preset)])
        page.wait_for_timeout(1500)
        if tab.slug == "segment":
            page.wait_for_selector("#segment-canvas .gx[data-phase=ready]")
            page.wait_for_timeout(1500)
        figure = page.evaluate_handle(FIGURE, tab.slug).as_element()
        if figure is None:
            print(f"{tab.slug}: {preset.name}: nothing to take", file=sys.stderr)
            continue
        (home.GALLERY / home.picture(tab, preset)).write_bytes(framed(figure.screenshot()))
        print(f"{tab.slug}: {preset.name}", flush=True)
    page.close()


def readme(browser, url):
    """Take the three pictures of README.md."""
    for slug, name, height in README:
        tab = next(tab for tab in TABS if tab.slug == slug)
        preset = next(preset for preset in tab.presets if preset.name == name)
        page = browser.new_page(viewport={"width": 1280, "height": height})
        page.set_default_timeout(120_000)
        page.goto(f"{url}?{home.link(tab, preset)}")
        page.wait_for_selector("html[data-ready=true]", state="attached")
        page.wait_for_selector(f"#tab-{slug}[data-answered], #{slug}-canvas[data-shown]", state="attached")
        page.wait_for_timeout(9000)
        if slug != README[0][0]:
            page.evaluate("id => { document.getElementById(id).scrollIntoView(); scrollBy(0, 60); }",
                          f"{slug}-{tab.chooser}")
            page.wait_for_timeout(1000)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        shot.save(home.GALLERY.parent / f"readme-{slug}.webp", quality=80, method=6)
        page.close()


def main():
    """Take what is missing, remove what is over."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int)
    parser.add_argument("--readme", action="store_true")
    given = parser.parse_args()
    port = given.port
    home.GALLERY.mkdir(exist_ok=True)
    known = {home.picture(tab, preset) for tab in TABS for preset in tab.presets}
    for path in home.GALLERY.glob("*.webp"):
        if path.name not in known:
            path.unlink()
    binary = os.environ.get("CHROMIUM", "/usr/bin/chromium-headless-shell")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        tabs = [] if given.readme else [tab for tab in TABS if missing(tab)]
        running = nullcontext(f"http://127.0.0.1:{port}/") if port else serving(["app.py"], Path(folder))
        with running as url:
            for tab in tabs:
                take(browser, url, tab)
            if given.readme:
                readme(browser, url)


if __name__ == "__main__":
    main()
