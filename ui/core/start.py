"""What is set up before the page is built: the log, and the folder of what visitors upload, which goes with the server.

No gradio here: it looks at GRADIO_TEMP_DIR when it is imported.
"""

import atexit
import logging
import os
import shutil
import signal
import tempfile
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

UPLOADS = "glassbox-uploads-"
LOG_BYTES, LOG_FILES = 1 << 20, 5


def log_to(file: str) -> None:
    """Write the log to ``file``, which is rotated, or to stderr where it is empty."""
    kept = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES - 1, encoding="utf-8") if file \
        else logging.StreamHandler()
    kept.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("glassbox")
    log.addHandler(kept)
    log.propagate = False


def uploads() -> Path:
    """A new folder for uploads inside GRADIO_TEMP_DIR; it is removed at exit, and those of servers that were killed are
    removed now."""
    base = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    base.mkdir(parents=True, exist_ok=True)
    for old in base.glob(f"{UPLOADS}*"):
        if (held := _held(old)) is not None:
            shutil.rmtree(old, ignore_errors=True)
            os.close(held)
    made = Path(tempfile.mkdtemp(prefix=".glassbox-", dir=base))
    _held(made)                                        # until this process ends, however it ends
    folder = made.rename(base / f"{UPLOADS}{made.name.removeprefix('.glassbox-')}")
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    owner = os.getpid()

    def clear() -> None:
        if os.getpid() == owner:                       # not a fork's
            shutil.rmtree(folder, ignore_errors=True)

    def ended(number: int, frame: Any) -> None:
        clear()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    atexit.register(clear)
    signal.signal(signal.SIGTERM, ended)
    return folder


def _held(folder: Path) -> int | None:
    """An open handle that alone holds the folder, or None where another process does."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
