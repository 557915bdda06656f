"""What stands before gradio: a visitor's share of events, who still listens, a health check, and the page's own files.

A visitor is a browser session; a call of the public interface without one (``/call/NAME``) counts for its client
address. Counting reads gradio's own queue (6.31), so an event counts from its coming until it has ended.
"""

import asyncio
import hashlib
import json
import mimetypes
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ui.core.streams import Held

TOO_MANY = "You have {} requests under way already; please wait for their answers."
JOIN, CALL, DATA = "/queue/join", "/call/", "/queue/data"


def visitor_of(request: Any, session: str | None) -> str:
    """Whose event this is: its session's, or its client address's where the call named no session."""
    client = getattr(request, "client", None)
    return f"address {client.host}" if client and CALL in request.url.path else str(session)


class Gate:
    """ASGI middleware. ``queue()`` is gradio's queue, ``most`` the events that a visitor may have under way, ``stays``
    the seconds that a browser's stream stays open without an event."""

    def __init__(self, app: Any, queue: Callable[[], Any], listeners: Counter, most: int, stays: float = 30.0) -> None:
        self.app, self.queue, self.listeners, self.most, self.stays = app, queue, listeners, most, stays
        self.joining: Counter = Counter()

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["method"] == "POST" and (path.endswith(JOIN) or CALL in path):
            return await self._counted(scope, receive, send)
        if scope["method"] == "GET" and (path.endswith(DATA) or CALL in path):
            return await self._listening(scope, receive, send)
        return await self.app(scope, receive, send)

    async def _counted(self, scope: dict, receive: Any, send: Any) -> None:
        """Answer 429 where the visitor has ``most`` events under way; else hand the event on."""
        body = await Request(scope, receive).body()
        try:
            session = json.loads(body).get("session_hash")
        except (ValueError, AttributeError):
            session = None
        visitor = visitor_of(Request(scope), session)
        if self.under_way(visitor) + self.joining[visitor] >= self.most:
            response = JSONResponse({"detail": TOO_MANY.format(self.most), "error": TOO_MANY.format(self.most)}, 429)
            return await response(scope, receive, send)
        parts = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Any:
            return next(parts, None) or await receive()

        self.joining[visitor] += 1
        try:
            return await self.app(scope, again, send)
        finally:
            self.joining -= Counter((visitor,))

    def under_way(self, visitor: str) -> int:
        """Events of a visitor that wait or run."""
        queue = self.queue()
        waiting = (event for line in queue.event_queue_per_concurrency_id.values() for event in line.queue)
        running = (event for job in queue.active_jobs if job for event in job)
        return sum(visitor_of(e.request, e.session_hash) == visitor for e in (*waiting, *running) if e.alive)

    async def _listening(self, scope: dict, receive: Any, send: Any) -> None:
        """Remember who listens as long as the stream is open; a browser's stays open between its events."""
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        session = query.get("session_hash", [scope["path"].rpartition("/")[2]])[0]
        held = Held(self.queue(), session, self.stays, receive, send) if b"sec-fetch-mode" in dict(scope["headers"]) \
            else None
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
    gate = Middleware(Gate, queue=lambda: page._queue, listeners=page.frame.listeners, most=page.frame.events)
    return {"routes": routes(files, status), "middleware": [Middleware(GZipMiddleware, minimum_size=1000), gate]}
