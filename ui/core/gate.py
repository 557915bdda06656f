"""What stands before gradio: a visitor's share of events, who still listens, a health check, and the page's own files.

A visitor is a browser session; a call of the public interface without one (``/call/NAME``) counts for its client
address. Counting reads gradio's own queue (6.31), so an event counts from its coming until it has ended.
"""

import asyncio
import hashlib
import logging
import mimetypes
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ui.core import door
from ui.core.door import CALL, JOIN, LOGIN
from ui.core.streams import Held

log = logging.getLogger("glassbox")

TOO_MANY = "You have {} requests under way already; please wait for their answers."
DATA = "/queue/data"


def visitor_of(request: Any, session: str | None) -> str:
    """Whose event this is: its session's, or its client address's where the call named no session."""
    client = getattr(request, "client", None)
    return f"address {client.host}" if client and CALL in request.url.path else str(session)


class Gate:
    """ASGI middleware. ``page`` is the built page, ``most`` the events that a visitor may have under way, ``stays`` the
    seconds that a browser's stream stays open without an event."""

    def __init__(self, app: Any, page: Any, most: int, stays: float = 30.0) -> None:
        self.app, self.page, self.most, self.stays = app, page, most, stays
        self.listeners, self.joining, self.passwords = page.frame.listeners, Counter(), door.Passwords()

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        path, way = scope.get("path", ""), self.app
        if scope["type"] == "http" and scope["method"] == "POST":
            way = self._counted if path.endswith(JOIN) or CALL in path else \
                self._guarded if path.rstrip("/").endswith(LOGIN) else way
        elif scope["type"] == "http" and scope["method"] == "GET" and (path.endswith(DATA) or CALL in path):
            way = self._listening
        try:
            await way(scope, receive, send)
        except ClientDisconnect:                       # gone in the middle of what it sent
            log.warning("%s: the client has gone", path[-80:].encode("unicode_escape").decode())
        except door.RefusedError as refused:
            status, said = refused.args
            log.warning("%s: refused: %s", path[-80:].encode("unicode_escape").decode(), said)
            await JSONResponse({"detail": said, "error": said}, status)(scope, receive, send)

    async def _counted(self, scope: dict, receive: Any, send: Any) -> None:
        """Refuse what is no event of this page, and what is one too many; else hand the event on."""
        body = await _body(Request(scope, receive))
        event = door.event_of(scope["path"], body, self.page.fns)
        visitor = visitor_of(Request(scope), event.get("session_hash"))
        if self.under_way(visitor) + self.joining[visitor] >= self.most:
            raise door.RefusedError(429, TOO_MANY.format(self.most))
        parts = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Any:
            return next(parts, None) or await receive()

        self.joining[visitor] += 1
        try:
            return await self.app(scope, again, send)
        finally:
            self.joining -= Counter((visitor,))

    async def _guarded(self, scope: dict, receive: Any, send: Any) -> None:
        """A name and a password: who sent many wrong ones has to wait."""
        address = str((scope.get("client") or ("",))[0])
        self.passwords.check(address)

        async def seen(message: dict[str, Any]) -> None:
            if message.get("status", 200) >= 400:
                self.passwords.wrong(address)
            await send(message)

        await self.app(scope, receive, seen)

    def under_way(self, visitor: str) -> int:
        """Events of a visitor that wait or run."""
        queue = self.page._queue
        waiting = (event for line in queue.event_queue_per_concurrency_id.values() for event in line.queue)
        running = (event for job in queue.active_jobs if job for event in job)
        return sum(visitor_of(e.request, e.session_hash) == visitor for e in (*waiting, *running) if e.alive)

    async def _listening(self, scope: dict, receive: Any, send: Any) -> None:
        """Remember who listens as long as the stream is open; a browser's stays open between its events."""
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        session = query.get("session_hash", [scope["path"].rpartition("/")[2]])[0]
        browser = b"sec-fetch-mode" in dict(scope["headers"])
        held = Held(self.page._queue, session, self.stays, receive, send) if browser else None
        holding = asyncio.create_task(held.hold()) if held else None
        self.listeners[session] += 1
        try:
            await self.app(scope, held.receive if held else receive, held.send if held else send)
        finally:
            self.listeners[session] -= 1
            if self.listeners[session] <= 0:
                del self.listeners[session]
            if held:
                holding.cancel()
                held.free()


async def _body(request: Request) -> bytes:
    """The body of an event, as far as it is not too large. RefusedError."""
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        if (size := size + len(part)) > door.MOST:
            raise door.RefusedError(*door.LARGE)
    return b"".join(parts)


def routes(files: Mapping[str, Callable[[], bytes]], status: Callable[[], dict]) -> list[Route]:
    """``/healthz``; the page's own files under ``/glass/``, read once and revalidated by their digest; and what is said
    of the machine."""
    known: dict[str, tuple[bytes, str]] = {}

    def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            return Response(status_code=404)
        if name not in known:
            content = files[name]()
            known[name] = content, f'"{hashlib.sha256(content).hexdigest()[:20]}"'
        content, tag = known[name]
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match", "").removeprefix("W/") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=mimetypes.guess_type(name)[0] or "text/plain", headers=headers)

    def machine(request: Request) -> Response:
        return JSONResponse(status())

    return [Route("/healthz", lambda request: JSONResponse({"status": "ok"})), Route("/glass/status", machine),
            Route("/glass/{name:path}", file)]


def before(page: Any, files: Mapping[str, Callable[[], bytes]], status: Callable[[], dict]) -> dict[str, Any]:
    """What gradio's application gets: compression, the gate, and the routes. ``page`` is the built page with its
    frame."""
    gate = Middleware(Gate, page=page, most=page.frame.events)
    return {"routes": routes(files, status), "middleware": [Middleware(GZipMiddleware, minimum_size=1000), gate]}
