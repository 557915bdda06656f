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
BROKEN = "This could not be computed; the server's log says why."
FAILED = "This could not be computed; what you see is the last good state. The server's log says why."
LONGEST = 300
"""Characters of a refusal in the log."""


def sentence(error: Exception, failed: str = BROKEN, by: str = "the page") -> str:
    """What to tell the user, and one line for the log: the errors that this project defines are sentences already;
    of others the log holds the traceback."""
    if type(error) is not ValueError and type(error).__module__.partition(".")[0] not in ("backends", "ui"):
        log.error("%s: failed", by, exc_info=error)
        return failed
    said = " ".join(str(error).split())
    log.warning("%s: refused: %s", by, said[:LONGEST].encode("unicode_escape").decode())
    return said


def warn(words: str) -> None:
    """Show one sentence as a toast. Toasts render HTML, so the sentence is escaped."""
    gr.Warning(escape(words), title="Not used")


@contextmanager
def problems() -> Iterator[None]:
    """Turn what goes wrong inside into one sentence as a toast; what is on screen stays."""
    try:
        yield
    except Exception as error:
        warn(sentence(error, FAILED))


@contextmanager
def refusals(name: str) -> Iterator[None]:
    """The same for a call of the endpoint ``/name``, whose client gets the sentence as it is, without markup."""
    try:
        yield
    except Exception as error:
        raise gr.Error(sentence(error, by=f"/{name}"), print_exception=False) from None


def linked_to(tab: Tab, query: str) -> Any:
    """The parameters that a link names; what cannot be used is said and falls back to the default. A query that names
    none, such as one of a newsletter, is no link."""
    given = dict(parse_qsl(query.lstrip("?"), keep_blank_values=True))
    if "v" not in given and not given.keys() & tab.declared.keys():
        return tab.opening
    params, sentences = permalink.decode(tab.params, query)
    if sentences:
        warn(" ".join(sentences))
    return params
