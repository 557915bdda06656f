"""A lecture hall on one server: ``python -m tests.load [--visitors 50] [--clicks 20] [--sessions 500]``.

Starts the app on a free port of this machine. Visitors at once each upload a picture of their own, click on it, ask
four other tabs for settings of their own, and run one long view; every answer has to be about the visitor's own
picture or setting. Then sessions are opened and closed one after the other, and the server's memory may not grow.
Prints one JSON line with seconds (median and 95 %) by kind of request; "good" is false after any error or mix-up, or
when memory grew by more than 50 MB after the first 50 sessions.
"""

import argparse
import io
import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

from backends.segment import rle
from tests.conftest import serving

PATIENCE = 600.0
"""Seconds after which an answer counts as an error: fifty visitors share one machine."""
GROWTH = 50


class Server:
    """What speaks to the app as a browser does: events of sessions, answered on their streams."""

    def __init__(self, url: str) -> None:
        self.api = f"{url}gradio_api/"
        self.endpoints = self._read("info")["named_endpoints"]
        with urllib.request.urlopen(f"{url}config", timeout=60) as config:
            functions = json.load(config)["dependencies"]
        self.numbers = {f["api_name"]: f["id"] for f in functions if f.get("api_name")}
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.wrong: list[str] = []

    def _read(self, path: str) -> Any:
        with urllib.request.urlopen(self.api + path, timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str, body: bytes, kind: str = "application/json") -> Any:
        """The JSON answer to a POST."""
        request = urllib.request.Request(self.api + path, body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """A file message of an uploaded file."""
        edge = uuid.uuid4().hex
        head = (f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
                "Content-Type: image/png\r\n\r\n")
        body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
        return {"path": self.post("upload", body, f"multipart/form-data; boundary={edge}")[0],
                "meta": {"_type": "gradio.FileData"}}

    def ask(self, session: str, name: str, **given: Any) -> Any:
        """The last answer of an endpoint; its time is noted."""
        known = self.endpoints[f"/{name}"]["parameters"]
        data = [given.get(p["parameter_name"], p.get("parameter_default")) for p in known]
        start, last = time.monotonic(), None
        body = {"data": data, "fn_index": self.numbers[name], "session_hash": session}
        event = self.post("queue/join", json.dumps(body).encode())["event_id"]
        with urllib.request.urlopen(f"{self.api}queue/data?session_hash={session}", timeout=PATIENCE) as stream:
            for line in stream:
                message = json.loads(line[6:]) if line.startswith(b"data: ") else {}
                if message.get("event_id") != event:
                    continue
                last = message.get("output", {}).get("data") or last
                if message["msg"] == "process_completed":
                    if not message["success"]:
                        raise RuntimeError(f"{name}: {message['output']}")
                    break
        self.seconds[name].append(time.monotonic() - start)
        return last[0]


def square(number: int) -> tuple[bytes, tuple[int, int]]:
    """A picture that only this visitor has, as PNG, and (x, y) of the middle of its light square."""
    from PIL import Image, ImageDraw

    x, y = 60 + 37 * (number % 10), 60 + 41 * (number // 10 % 5)
    image = Image.new("RGB", (480, 320), (number % 50, 40, 60))
    ImageDraw.Draw(image).rectangle((x - 30, y - 30, x + 30, y + 30), fill=(240, 235, 200 + number % 50))
    out = io.BytesIO()
    image.save(out, "png")
    return out.getvalue(), (x, y)


def visit(server: Server, number: int, clicks: int) -> None:
    """All that one visitor does; what is wrong is noted."""
    session = f"visitor{number}x{uuid.uuid4().hex[:8]}"
    try:
        content, (x, y) = square(number)
        picture = server.upload(f"mine {number}.png", content)
        for k in range(clicks):
            at = [x + k % 5 - 2, y + k // 5 % 5 - 2]
            answer = server.ask(session, "segment", picture=picture, points=[at])
            mask = rle.decode(answer["masks"][answer["scores"].index(max(answer["scores"]))])
            rows, columns = mask.nonzero()
            if abs(rows.mean() - y) > 30 or abs(columns.mean() - x) > 30:
                server.wrong.append(f"visitor {number} clicked {at} and got something else")
        d = 8 + number
        if server.ask(session, "scale", d=d)["body"]["d"] != d:
            server.wrong.append(f"visitor {number} got another's dial")
        text = f"the cat of visitor {number} sat on the mat, and then it sat on the mat again"
        if server.ask(session, "moe", text=text)["body"]["tokens"] != len(text):
            server.wrong.append(f"visitor {number} got another's text")
        server.ask(session, "swin", rows=8 + number % 8)
        server.ask(session, "memory", seed=number)
        server.ask(session, "moe", view="race", steps=25)
    except Exception as error:
        server.wrong.append(f"visitor {number}: {error!r}"[:300])


def resident(pid: int) -> float:
    """Resident memory of a process and its children in MB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = [int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in (pid, *children)]
    return sum(pages) * 4096 / 1e6


def come_and_go(server: Server, pid: int, sessions: int) -> dict[str, Any]:
    """Sessions that ask for something and leave; MB after the first tenth and after all."""
    first = 0.0
    for k in range(sessions):
        session = uuid.uuid4().hex
        beat = urllib.request.urlopen(f"{server.api}heartbeat/{session}", timeout=60)
        server.ask(session, "scale", d=16 + k % 64)
        beat.close()
        if k + 1 == max(1, sessions // 10):
            first = resident(pid)
    return {"sessions": sessions, "first_mb": round(first), "last_mb": round(resident(pid))}


def main() -> int:
    """Run both parts and print what was measured; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--clicks", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=500)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(["app.py", "--device", "cpu"], Path(folder)) as url:
        server, pid = Server(url), _pid(url)
        server.ask("first", "segment", picture="chelsea", points=[[240, 70]])
        server.seconds.clear()
        crowd = [threading.Thread(target=visit, args=(server, k, args.clicks)) for k in range(args.visitors)]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()
        memory = come_and_go(server, pid, args.sessions)
    grown = memory["last_mb"] - memory["first_mb"]
    spread = {name: [round(statistics.median(all_), 2), round(sorted(all_)[int(0.95 * len(all_))], 2)]
              for name, all_ in server.seconds.items()}
    good = not server.wrong and grown <= GROWTH
    print(json.dumps({"visitors": args.visitors, "seconds_p50_p95": spread, **memory, "wrong": server.wrong[:10],
                      "good": good}))
    return int(not good)


def _pid(url: str) -> int:
    """The process that listens on the address's port."""
    port = int(url.rsplit(":", 1)[1].strip("/"))
    for folder in Path("/proc").glob("[0-9]*"):
        words = (folder / "cmdline").read_bytes().split(b"\0") if (folder / "cmdline").exists() else []
        if b"app.py" in words and str(port).encode() in words:
            return int(folder.name)
    raise RuntimeError("the server is not here")


if __name__ == "__main__":
    sys.exit(main())
