"""What goes wrong, said in one sentence; what is on screen stays."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr

from ui.core import permalink
from ui.core.tab import Tab

log = logging.getLogger("glassbox")
FAILED = "This could not be computed; what you see is the last good state. The server's log says why."


def warn(error: Exception) -> None:
    """Show one sentence as a toast. Toasts render HTML, so the sentence is escaped."""
    gr.Warning(escape(str(error)), title="Not used")


@contextmanager
def problems() -> Iterator[None]:
    """Turn what goes wrong inside into one sentence as a toast; what is on screen stays."""
    try:
        yield
    except ValueError as error:
        warn(error)
    except Exception:
        log.exception("a handler failed")
        warn(RuntimeError(FAILED))


def linked_to(tab: Tab, query: str) -> Any:
    """The parameters that a link names; what cannot be used is said and falls back to the default. A query that names
    none, such as one of a newsletter, is no link."""
    given = dict(parse_qsl(query.lstrip("?"), keep_blank_values=True))
    if "v" not in given and not given.keys() & tab.declared.keys():
        return tab.opening
    params, sentences = permalink.decode(tab.params, query)
    if sentences:
        warn(ValueError(" ".join(sentences)))
    return params
