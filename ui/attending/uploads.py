"""Own tensors: which file a visitor has loaded. They stay with the session; a link cannot carry them."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from backends.attention.params import AttentionParams
from ui.segmenting.pictures import Shelf, uploaded
from ui.tab import ParamError

OWN = Shelf(per_session=1, in_all=128)
NAME = "tensors"
GONE = "Please choose a safetensors file with q, k and v first; a link cannot carry one."


def add(session: str, path: Any) -> str:
    """Read an uploaded file, remember it for ``session``, and say in a few words what it holds. ValueError when it is of no use."""
    found = uploaded(path)
    q = _read(found)[0]
    OWN.put(session, NAME, found)
    heads, n, d = q.shape
    return f"{heads} head{'s' * (heads > 1)}, {n} tokens, {d} channels"


def tensors(session: str, params: AttentionParams) -> Any:
    """q, k, v of the session's file when the source is a file, else None. ParamError when there is none."""
    if params.source != "file":
        return None
    path = OWN.get(session, NAME)
    if path is None:
        raise ParamError(GONE)
    return _read(path)


@lru_cache(4)
def _read(path: Path) -> Any:
    from backends.attention.inputs import read_tensors

    return read_tensors(path)


def caveat(params: AttentionParams) -> str:
    """What a copied link cannot carry, in one sentence; empty when it carries everything."""
    return "Your own q, k and v cannot travel in a link; the settings do." if params.source == "file" else ""
