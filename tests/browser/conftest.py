"""Chromium for tests. Every page is guarded: a script error, a failed request, a status of 400 or more, or any request
to another machine fails the test that opened it.

Fixtures: ``page`` (the real app) and ``open_page(url, allow=(), **context)`` for everything else, such as ``viewport``
or ``color_scheme``. Pages come back when the frame says that it is ready. ``allow`` holds pieces of text of complaints
that a test expects.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ui import TABS
from ui.core import permalink

STREAMS = ("/queue/data", "/heartbeat/")
"""Server-sent event streams that the client aborts by design."""
HUNG_UP = "AbortError: signal is aborted without reason"
"""What gradio's client says when it leaves its own stream because the page goes."""
CUT = "Connection errored out"
"""What it says of the stream when the page is loaded anew on a busy machine."""
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
"""No other machine is reached: their names are not found. (Routing every request through the test costs a second a
page.)"""


WIDE = {"viewport": {"width": 1280, "height": 900}}
USUAL = {**WIDE, "locale": "en-US", "color_scheme": "light"}


@dataclass
class Guard:
    """Complaints of one page, what the test expects among them, and the requests that are under way."""

    origin: str
    allow: tuple[str, ...] = ()
    complaints: list[str] = field(default_factory=list)
    under_way: set[object] = field(default_factory=set)

    def watch(self, page: object) -> None:
        """Listen to ``page``."""
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("console", self._said)
        page.on("request", self._asked)
        # lambdas, since Playwright asks for a listener's signature and a built-in method has none
        page.on("requestfinished", lambda request: self.under_way.discard(request))
        page.on("requestfailed", self._failed)
        page.on("response", lambda r: self.complaints.append(f"status {r.status}: {r.url}")
                if r.status >= 400 else None)

    def unexpected(self) -> list[str]:
        """Complaints that no entry of ``allow`` covers."""
        return [c for c in self.complaints if not any(a in c for a in self.allow)]

    def _said(self, message: object) -> None:
        if message.type == "error" and not message.text.startswith(HUNG_UP):
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: object) -> None:
        if not any(stream in request.url for stream in STREAMS):
            self.under_way.add(request)
        if not request.url.startswith(("data:", "blob:")) and urlsplit(request.url).netloc != self.origin:
            self.complaints.append(f"external: {request.url}")

    def _failed(self, request: object) -> None:
        self.under_way.discard(request)
        if not any(stream in request.url for stream in STREAMS):
            self.complaints.append(f"failed: {request.url} {request.failure}")


def reload(page: object, url: str = "") -> None:
    """Load the page anew, or another address, when nothing has been under way for a second: what a reload breaks off
    is a complaint, but for the stream of answers, which is always open."""
    still, before = 0, len(page.guard.complaints)
    while still < 20:
        page.wait_for_timeout(50)
        still = 0 if page.guard.under_way else still + 1
    page.goto(url) if url else page.reload()
    page.guard.complaints[before:] = [c for c in page.guard.complaints[before:] if CUT not in c]


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """One headless browser for the session, the headless shell where it is there: it draws no windows, and opens a page
    in half the time. Skips where there is none, unless GLASSBOX_REQUIRE_BROWSER=1."""
    found = filter(None, map(shutil.which, ("chromium-headless-shell", "chromium")))
    binary = os.environ.get("CHROMIUM") or next(found, "/usr/bin/chromium")
    if not Path(binary).exists():
        say = pytest.fail if os.environ.get("GLASSBOX_REQUIRE_BROWSER") == "1" else pytest.skip
        say(f"no Chromium at {binary}: set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=SWITCHES)
        yield browser
        browser.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser test that waited in vain, and for nothing else, runs once more; pytest's summary counts it as a
    rerun."""
    again = pytest.mark.flaky(reruns=1, only_rerun=[r"Timeout \d+ms exceeded"])
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(again)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Leave the test's outcome on its item, so that the page fixture can keep a screenshot of a failure."""
    report = yield
    if call.when == "call":
        item.failed_in_call = report.failed
    return report


@pytest.fixture(scope="session")
def usual(chromium: object) -> Iterator[object]:
    """The browser context of most pages, whose cache holds the files that are the same for all."""
    context = chromium.new_context(**USUAL)
    yield context
    context.close()


UNUSED = """() => document.documentElement.dataset.language === 'en' && !document.querySelector(
  'body.dark, dialog[open], #gb-share, .toast-body, [data-running=true], [data-pinned], :popover-open, #gb-tour')"""
"""Whether a page is as a visitor finds it, but for what its tabs show."""
VISIT = """async ([slug, query]) => {
  const [frame, wire] = await Promise.all(
    ['frame', 'wire'].map((name) => import(new URL(`glass/js/${name}.js`, location))));
  const stages = () => document.querySelector(`#tab-${slug} .gb-stages`);
  const before = stages()?.dataset.drawn;
  document.activeElement.blur();
  scrollTo(0, 0);
  frame.visit(query);
  await wire.halted(slug);
  await new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); });
  for (let k = 0; k < 40 && before && stages().offsetParent && stages().dataset.drawn === before; k += 1) {
    await new Promise((done) => { setTimeout(done, 25); });              // a stage may still load its picture
  }
}"""


def _again(page: object, url: str, viewport: dict[str, int]) -> None:
    """Opens a link in a page that is there, as the page's own links do, and comes back when all is answered."""
    query = urlsplit(url).query
    page.set_viewport_size(viewport)
    page.mouse.move(2, 2)
    page.evaluate(VISIT, [parse_qs(query)["tab"][0], query])


def _fresh(context: object, url: str, viewport: dict[str, int], color_scheme: str, **others: object) -> object:
    """A page of the usual context for somebody who was never here: nothing is stored for the address."""
    page, to = context.new_page(), urlsplit(url)
    session = context.new_cdp_session(page)
    session.send("Storage.clearDataForOrigin", {"origin": f"{to.scheme}://{to.netloc}", "storageTypes": "all"})
    session.detach()
    page.set_viewport_size(viewport)
    page.emulate_media(color_scheme=color_scheme)
    return page


@pytest.fixture(scope="session")
def kept() -> dict[str, object]:
    """The page that the next test may go on with, by its origin."""
    return {}


@pytest.fixture
def open_page(chromium: object, usual: object, kept: dict[str, object], request: pytest.FixtureRequest
              ) -> Iterator[Callable[..., object]]:
    """Open guarded pages; see the module's docstring. The first page of a test is in the usual context if it asks for
    nothing that a page cannot set; every other one is another visitor, in a context of its own. ``again``: the first
    one may be the page of the test before, where the link is opened in place."""
    opened: list[tuple[object, Guard]] = []
    going_on: list[object] = []

    def opener(url: str, allow: tuple[str, ...] = (), wait: bool = True, again: bool = False, **context: object
               ) -> object:
        options = {**USUAL, **context}
        again = again and not opened and not context.keys() - {"viewport"} and not allow
        if again and (page := kept.pop(urlsplit(url).netloc, None)) and page.evaluate(UNUSED):
            opened.append((page, page.guard))
            going_on.append(page)
            _again(page, url, options["viewport"])
            return page
        if opened or context.keys() - {"viewport", "color_scheme"}:
            page = chromium.new_context(**options).new_page()
        else:
            page = _fresh(usual, url, **options)
        page.set_default_timeout(120_000)
        page.guard = Guard(urlsplit(url).netloc, allow)
        page.guard.watch(page)
        opened.append((page, page.guard))
        page.goto(url)
        if wait:
            page.wait_for_selector("html[data-ready=true]", state="attached")
        if again:
            going_on.append(page)
        return page

    yield opener
    failed = getattr(request.node, "failed_in_call", False)
    wrong = [c for _, guard in opened for c in guard.unexpected()]
    for index, (page, _) in enumerate(opened):
        if (failed or wrong) and not page.is_closed():
            _keep(page, f"{request.node.name}-{index}")
        if page.context != usual:
            page.context.close()
    kept.update({page.guard.origin: page for page in going_on if not (failed or wrong)})
    for page in set(usual.pages) - set(kept.values()):
        page.close()
    assert not wrong, wrong


def _keep(page: object, name: str) -> None:
    folder = Path(os.environ.get("GLASSBOX_SCREENSHOTS") or "test-screenshots")
    folder.mkdir(exist_ok=True)
    page.screenshot(path=str(folder / f"{name[:80].replace('/', '_')}.png"))


@pytest.fixture
def open_tab(open_page: Callable[..., object], app_url: str) -> Callable[..., object]:
    """``open_tab(slug, params, again=True, **context)``: the real app at the link of a tab's settings; ``again`` as of
    ``open_page``, where the view answers at once."""

    def opener(slug: str, params: object, again: bool = True, **context: object) -> object:
        tab = next(tab for tab in TABS if tab.slug == slug)
        long = tab.view(params).plan(params)["streamed"]
        return open_page(f"{app_url}?{permalink.encode(slug, params)}", again=again and not long, **context)

    return opener


@pytest.fixture
def page(open_page: Callable[..., object], app_url: str) -> object:
    """The real app."""
    return open_page(app_url)


@pytest.fixture(scope="module")
def server():
    """The click canvas alone, on a fake segmenter."""
    from tests.browser.canvas_app import serve

    demo, url = serve()
    yield url
    demo.close()


@pytest.fixture
def open_board(server, open_page):
    """A function that opens the app in a new browser context and returns its Board."""
    from tests.browser.board import Board

    return lambda **options: Board(open_page(server, wait=False, **options)).ready("wide")


@pytest.fixture(scope="module")
def desk(chromium, server):
    """One page for the tests that do not ask for a special browser, guarded like all others."""
    from tests.browser.board import Board

    page = chromium.new_context(**WIDE).new_page()
    page.guard = Guard(urlsplit(server).netloc)
    page.guard.watch(page)
    page.goto(server)
    yield Board(page).ready("wide")
    page.context.close()


@pytest.fixture
def board(desk):
    """The shared page with a fresh picture, no objects and the view of the start."""
    desk.page.set_viewport_size(WIDE["viewport"])
    desk.sample("tall").forget()
    desk.sample("square").sample("wide")
    desk.tool("include")
    desk.tool("tool-click")
    desk.page.mouse.move(2, 2)
    yield desk
    assert not desk.page.guard.unexpected()
    desk.page.guard.complaints.clear()
