"""Files of visitors: which of them a session may use. They stay in gradio's upload folder; nothing else is ever
opened."""

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from backends.images import ImageError


class Shelf:
    """A bounded map (session, id) -> path; the oldest entries of a session, then of all, go first."""

    def __init__(self, per_session: int, in_all: int) -> None:
        self._limits = per_session, in_all
        self._paths: OrderedDict[tuple[str, str], Path] = OrderedDict()
        self._titles: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def put(self, session: str, name: str, path: Path, title: str = "") -> None:
        """Remember ``path`` for this session alone, and what the user calls the file."""
        with self._lock:
            self._paths[session, name] = path
            self._titles[session, name] = title or path.name
            self._paths.move_to_end((session, name))
            mine = [key for key in self._paths if key[0] == session]
            for key in mine[: -self._limits[0]]:
                del self._paths[key]
            while len(self._paths) > self._limits[1]:
                self._paths.popitem(last=False)
            self._titles = {key: self._titles[key] for key in self._paths}

    def get(self, session: str, name: str) -> Path | None:
        """The path, or None when this session has no such entry or its file is gone."""
        with self._lock:
            path = self._paths.get((session, name))
        return path if path is not None and path.is_file() else None

    def title(self, session: str, name: str) -> str | None:
        """What the user calls the file, or None when this session has no such entry."""
        with self._lock:
            return self._titles.get((session, name))

    def drop(self, session: str) -> None:
        """Forget a session."""
        with self._lock:
            for key in [key for key in self._paths if key[0] == session]:
                del self._paths[key], self._titles[key]


MODELS = Shelf(4, 128)
"""Own weights and tensors of visitors, by the tab and source that they are for."""


def uploaded(path: Any) -> Path:
    """The one function that decides whether a path from a browser may be opened: only a file inside the upload
    folder."""
    folder = Path(get_upload_folder()).resolve()
    try:
        found = Path(str(path)).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        found = None
    if found is None or not found.is_relative_to(folder) or not found.is_file():
        raise ImageError("This file was not uploaded to this page.")
    return found
