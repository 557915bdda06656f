"""Servers for tests: the real app and the toy tabs, each a process of its own on a free port with its own folders."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1")


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(command: list[str], folder: Path, port: int | None = None, seconds: int = 120) -> Iterator[str]:
    """Run ``python COMMAND --port N`` with temporary folders under ``folder`` until the block ends; yields the URL."""
    port = port or free_port()
    env = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "gradio"), "GLASSBOX_HOME": str(folder / "home")}
    log = folder / f"server-{port}.log"
    with log.open("wb") as out:
        server = subprocess.Popen([sys.executable, *command, "--port", str(port)], cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        url = f"http://127.0.0.1:{port}/"
        _wait(url, server, log, seconds)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait(url: str, server: subprocess.Popen, log: Path, seconds: int) -> None:
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
    with serving(["app.py", "--device", "cpu"], tmp_path_factory.mktemp("app")) as url:
        yield url


@pytest.fixture(scope="session")
def toy_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the frame with the two toy tabs."""
    with serving(["-m", "tests.ui.toy", "--device", "cpu"], tmp_path_factory.mktemp("toy")) as url:
        yield url
