"""What stands around the page: the log and the folder of uploads."""

import logging
import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from ui.core import start

SERVER = """
import sys, time
sys.path.insert(0, "ui/core")
import start
print(start.uploads(), flush=True)
(start.Path(start.os.environ["GRADIO_TEMP_DIR"]) / "own.png").write_bytes(b"x")
print("written", flush=True)
time.sleep(60 if sys.argv[1] == "waits" else 0)
"""


def started(base, how):
    """A process with a folder of uploads that holds a file, and that folder."""
    server = subprocess.Popen([sys.executable, "-c", SERVER, how], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                              env={**os.environ, "GRADIO_TEMP_DIR": str(base)})
    folder = server.stdout.readline().strip()
    assert server.stdout.readline() == "written\n"
    return server, folder


@pytest.mark.case("The server is killed", "What visitors had uploaded goes when the next server starts.")
def test_uploads_are_gone_when_the_server_ends_however_it_ends(tmp_path):
    stopped, its = started(tmp_path, "waits")
    killed, left = started(tmp_path, "waits")
    assert {f.name for f in tmp_path.iterdir()} == {os.path.basename(its), os.path.basename(left)}
    stopped.send_signal(signal.SIGTERM)
    killed.kill()
    assert stopped.wait(20) == -signal.SIGTERM and killed.wait(20)
    assert [str(f) for f in tmp_path.iterdir()] == [left]
    ended, _ = started(tmp_path, "ends")
    assert ended.wait(20) == 0 and not list(tmp_path.iterdir())


def test_the_log_is_rotated(tmp_path, monkeypatch):
    monkeypatch.setattr(start, "LOG_BYTES", 2000)
    log = logging.getLogger("glassbox")
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "propagate", True)
    start.log_to(str(tmp_path / "glassbox.log"))
    for number in range(300):
        log.warning("/moe: refused: number %d", number)
    log.handlers[0].close()
    assert len(list(tmp_path.iterdir())) == start.LOG_FILES
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) <= 2000 * start.LOG_FILES
