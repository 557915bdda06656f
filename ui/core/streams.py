"""A browser's stream of answers stays open between its events.

Gradio (6.31) closes a session's stream with its last answer, and the browser opens another for the next event. An event
that comes at that moment loses its answer: the browser believes that the stream is still open, and the server, left by
the old stream's reader, forgets all that the session waits for. So one event that never ends is held for each browser's
stream, until nothing was asked for some time; and what is being closed cannot be left.
"""

import asyncio
from typing import Any

from gradio.server_messages import ProcessCompletedMessage

HELD = "held"
"""The event that never ends; a client of the public interface, which is no browser, closes its streams as ever."""
CLOSING = b'"close_stream"'


class Held:
    """One stream: ``receive`` and ``send`` of ASGI, ``queue`` gradio's, ``seconds`` without an event until it may
    end."""

    def __init__(self, queue: Any, session: str, seconds: float, receive: Any, send: Any) -> None:
        self.queue, self.session, self.seconds = queue, session, seconds
        self._receive, self._send, self.closing = receive, send, False

    async def send(self, message: dict[str, Any]) -> None:
        """Pass on what the browser gets, and see whether it is the end."""
        self.closing = self.closing or CLOSING in message.get("body", b"")
        await self._send(message)

    async def receive(self) -> dict[str, Any]:
        """What the browser says; that it has hung up after the end is no news."""
        message = await self._receive()
        if self.closing and message["type"] == "http.disconnect":
            await asyncio.Event().wait()
        return message

    async def hold(self) -> None:
        """Hold the stream; let go when nothing was asked for ``seconds``."""
        pending = self.queue.pending_event_ids_session
        pending.setdefault(self.session, set()).add(HELD)
        idle, step = 0.0, min(1.0, self.seconds / 4)
        while idle < self.seconds:
            await asyncio.sleep(step)
            idle = 0.0 if len(pending.get(self.session, ())) > 1 else idle + step
        messages = self.queue.pending_messages_per_session.get(self.session)
        if messages is not None:
            await messages.put(ProcessCompletedMessage(event_id=HELD, output={}, success=True))

    def free(self) -> None:
        """The stream has ended: what was held goes."""
        pending = self.queue.pending_event_ids_session
        pending.get(self.session, set()).discard(HELD)
        if not pending.get(self.session):
            pending.pop(self.session, None)
