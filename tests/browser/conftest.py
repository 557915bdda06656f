"""Chromium for tests. Every page is guarded: a script error, a failed request, a status of 400 or more, or any request
to another machine fails the test that opened it.

Fixtures: ``page`` and ``second_page`` (the real app, two separate browser contexts), ``toy_page`` (the toy tabs) and
``open_page(url, allow=(), **context)`` for everything else, such as ``viewport`` or ``color_scheme``. Pages come back
when the frame says that it is ready. ``allow`` holds pieces of text of complaints that a test expects.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

STREAMS = ("/queue/data", "/heartbeat/")
"""Server-sent event streams that the client aborts by design."""
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@dataclass
class Guard:
    """Complaints of one page, and what the test expects among them."""

    origin: str
    allow: tuple[str, ...] = ()
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: object) -> None:
        """Listen to ``page`` and keep it from reaching other machines."""
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("console", lambda m: self.complaints.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("requestfailed", self._failed)
        page.on("response", lambda r: self.complaints.append(f"status {r.status}: {r.url}") if r.status >= 400 else None)
        page.route("**/*", self._route)

    def unexpected(self) -> list[str]:
        """Complaints that no entry of ``allow`` covers."""
        return [c for c in self.complaints if not any(a in c for a in self.allow)]

    def _failed(self, request: object) -> None:
        if not any(stream in request.url for stream in STREAMS):
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def _route(self, route: object) -> None:
        url = route.request.url
        if url.startswith(("data:", "blob:")) or urlsplit(url).netloc == self.origin:
            route.continue_()
        else:
            self.complaints.append(f"external: {url}")
            route.abort()


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """One headless browser for the session; skips where there is none, unless GLASSBOX_REQUIRE_BROWSER=1."""
    binary = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(binary).exists():
        say = pytest.fail if os.environ.get("GLASSBOX_REQUIRE_BROWSER") == "1" else pytest.skip
        say(f"no Chromium at {binary}: set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=SWITCHES)
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Leave the test's outcome on its item, so that the page fixture can keep a screenshot of a failure."""
    report = yield
    if call.when == "call":
        item.failed_in_call = report.failed
    return report


@pytest.fixture
def open_page(chromium: object, request: pytest.FixtureRequest) -> Iterator[Callable[..., object]]:
    """Open guarded pages; see the module's docstring."""
    opened: list[tuple[object, Guard]] = []

    def opener(url: str, allow: tuple[str, ...] = (), wait: bool = True, **context: object) -> object:
        options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-US", "color_scheme": "light", **context}
        page = chromium.new_context(**options).new_page()
        page.set_default_timeout(20000)
        page.guard = Guard(urlsplit(url).netloc, allow)
        page.guard.watch(page)
        opened.append((page, page.guard))
        page.goto(url)
        if wait:
            page.wait_for_selector("html[data-ready=true]", state="attached")
        return page

    yield opener
    failed = getattr(request.node, "failed_in_call", False)
    wrong = [c for _, guard in opened for c in guard.unexpected()]
    for index, (page, _) in enumerate(opened):
        if (failed or wrong) and not page.is_closed():
            _keep(page, f"{request.node.name}-{index}")
        page.context.close()
    assert not wrong, wrong


def _keep(page: object, name: str) -> None:
    folder = Path(os.environ.get("GLASSBOX_SCREENSHOTS") or "test-screenshots")
    folder.mkdir(exist_ok=True)
    page.screenshot(path=str(folder / f"{name[:80].replace('/', '_')}.png"))


@pytest.fixture
def page(open_page: Callable[..., object], app_url: str) -> object:
    """The real app."""
    return open_page(app_url)


@pytest.fixture
def second_page(open_page: Callable[..., object], app_url: str) -> object:
    """The real app for another visitor."""
    return open_page(app_url)


@pytest.fixture
def toy_page(open_page: Callable[..., object], toy_url: str) -> object:
    """The frame with the toy tabs."""
    return open_page(toy_url)
