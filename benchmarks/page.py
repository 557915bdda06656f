"""What the first page weighs: `python -m benchmarks.page` starts the app and opens it in Chromium.

Prints one JSON line: seconds from the command to the server's first answer, bytes over the wire and requests up to a
usable first tab, the page's HTML before and after compression, and seconds from the address to the first picture on the
canvas (a warm server; the first visit loads the model besides).
"""
import gzip
import json
import os
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.conftest import SWITCHES
from tests.conftest import serving


def visit(browser, url: str) -> dict[str, float]:
    """One fresh visit: kilobytes, requests and seconds until the first tab has its picture."""
    page = browser.new_context().new_page()
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    began = time.perf_counter()
    page.goto(url)
    page.wait_for_selector("#segment-canvas .gx[data-ready]:not([data-ready=''])", timeout=120_000)
    seconds = time.perf_counter() - began
    page.context.close()
    return {"kB": round(sum(sizes) / 1000), "requests": len(sizes), "seconds": round(seconds, 2)}


def measure() -> dict[str, Any]:
    """Start the app, weigh the HTML, then visit twice; seconds from the command to the first answer, too."""
    browser_at = os.environ.get("CHROMIUM") or shutil.which("chromium-headless-shell") or "/usr/bin/chromium"
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, serving(["app.py", "--device", "cpu"],
                                                          Path(folder)) as url, sync_playwright() as play:
        started = time.perf_counter() - began
        request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
        packed = urllib.request.urlopen(request).read()
        browser = play.chromium.launch(executable_path=browser_at, args=SWITCHES)
        first, warm = visit(browser, url), visit(browser, url)
    return {"start_s": round(started, 2), "html_kB": round(len(gzip.decompress(packed)) / 1000),
            "html_packed_kB": round(len(packed) / 1000), "first": first, "warm": warm}


if __name__ == "__main__":
    print(json.dumps(measure()))
