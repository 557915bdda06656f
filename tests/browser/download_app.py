"""The Segment tab with MobileSAM's entry pointing at a slow server of its own that holds a random-weight file in the
official format.

``python -m tests.browser.download_app --port N``.
"""

import hashlib
import os
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch

from backends import weights
from backends.segment.tinyvit import build_mobile_sam
from tests.browser import segment_app

PAUSE = 0.08                   # seconds between megabytes


class Slow(BaseHTTPRequestHandler):
    """Serves one file by and by, from where ``Range`` says."""

    body: bytes

    def do_GET(self) -> None:
        """Answer with 206 from the offset that was asked for, else with 200."""
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Range", f"bytes {start}-{len(self.body) - 1}/{len(self.body)}")
        self.send_header("Content-Length", str(len(self.body) - start))
        self.end_headers()
        for at in range(start, len(self.body), 1 << 20):
            self.wfile.write(self.body[at : at + (1 << 20)])
            time.sleep(PAUSE)

    def log_message(self, *args: object) -> None:
        """Nothing."""


def main() -> None:
    """Serve the file, then the tab."""
    os.environ["no_proxy"] = "127.0.0.1"
    made = Path(os.environ["GLASSBOX_HOME"]).with_name("made.pt")
    torch.save(build_mobile_sam().state_dict(), made)
    Slow.body = made.read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sha256 = hashlib.sha256(Slow.body).hexdigest()
    here = {"url": f"http://127.0.0.1:{server.server_port}/mobile_sam.pt", "bytes": len(Slow.body), "sha256": sha256}
    entries = tuple(replace(e, **here) if e.name == "mobile_sam" else e for e in weights.manifest())
    weights.manifest = lambda: entries
    segment_app.main()


if __name__ == "__main__":
    main()
