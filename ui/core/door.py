"""What a request must look like before gradio sees it; else it gets a status and one sentence.

Gradio (6.31) answers a body that it cannot read with 500 and a traceback in the log, and one with too few values with
an error that says nothing.
"""

import json
import time
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

JOIN, CALL, LOGIN = "/queue/join", "/call/", "/login"
MOST = 32 << 20
"""Bytes of one event; pictures and other files are uploaded, and an event names them."""
LARGE = 413, f"This request is larger than {MOST >> 20} MB."
NO_JSON = 422, "This request is not JSON that can be read."
NO_DATA = 422, "This request must be a JSON object that holds a list called data."
NO_ENDPOINT = 404, "There is no such endpoint."
TOO_OFTEN = 429, "Too many wrong passwords came from your address; please wait a minute."


class RefusedError(Exception):
    """A request that is not handed on: ``args`` are the status and the sentence."""


def event_of(path: str, body: bytes, functions: Mapping[int, Any]) -> dict[str, Any]:
    """The event in the body of a POST. ``functions``: those of the page, by number. RefusedError."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(*NO_JSON) from None
    if not isinstance(event, dict) or not isinstance(event.get("session_hash"), str | None):
        raise RefusedError(*NO_DATA)
    name = unquote(path.rpartition(CALL)[2].strip("/")) if CALL in path else None
    if name and name.startswith("v2/"):
        return event
    if not isinstance(event.get("data"), list):
        raise RefusedError(*NO_DATA)
    number = event.get("fn_index")
    function = (functions.get(number) if type(number) is int else None) if name is None else \
        next((f for f in functions.values() if f.api_name == name and f.api_visibility != "private"), None)
    if function is None:
        raise RefusedError(*NO_ENDPOINT)
    wanted, given = len(function.inputs), len(event["data"])
    if given < wanted or (name and given > wanted):
        raise RefusedError(422, f"This endpoint takes {wanted} values and got {given}.")
    return event


class Passwords:
    """How many wrong passwords came from each address lately; ``most`` in ``seconds``, then it has to wait."""

    def __init__(self, most: int = 10, seconds: float = 60.0) -> None:
        self.most, self.seconds = most, seconds
        self._wrong: dict[str, deque[float]] = {}

    def check(self, address: str) -> None:
        """RefusedError where the address has to wait."""
        now = time.monotonic()
        for key in [key for key, times in self._wrong.items() if now - times[-1] > self.seconds]:
            del self._wrong[key]
        times = self._wrong.get(address, ())
        if len(times) == self.most and now - times[0] < self.seconds:
            raise RefusedError(*TOO_OFTEN)

    def wrong(self, address: str) -> None:
        """A wrong one came."""
        self._wrong.setdefault(address, deque(maxlen=self.most)).append(time.monotonic())
