"""What the first page weighs: `python -m benchmarks.page` starts the app and opens it in Chromium.

Prints one JSON line: bytes over the wire and requests up to a usable first tab, the page's HTML before and after
compression, and seconds from the address to the first picture on the canvas (a warm server; the first visit loads the
model besides).
"""
import gzip
import json
import tempfile
import time
import urllib.request
from pathlib import Path

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


def main() -> None:
    """Weigh the HTML, then visit twice."""
    with tempfile.TemporaryDirectory() as folder, serving(["app.py", "--device", "cpu"],
                                                          Path(folder)) as url, sync_playwright() as play:
        request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
        packed = urllib.request.urlopen(request).read()
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)
        first, warm = visit(browser, url), visit(browser, url)
        html = {"html_kB": round(len(gzip.decompress(packed)) / 1000), "html_packed_kB": round(len(packed) / 1000)}
        print(json.dumps({**html, "first": first, "warm": warm}))


if __name__ == "__main__":
    main()
