"""A download is whole or not there: resumed, checked, renamed; against a server of the test's own."""
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from backends import download
from backends.weights import WeightsError

BODY = bytes(range(256)) * 6000
DIGEST = hashlib.sha256(BODY).hexdigest()


class Shop(BaseHTTPRequestHandler):
    """Serves BODY; the path chooses the behaviour."""

    asked: ClassVar[list[str | None]] = []

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        kind = self.path.split("/")[1]
        if kind == "missing":
            self.send_error(404)
            return
        body = BODY + b"more" if kind == "long" else BODY
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and kind != "norange" else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:start + 300_000] if kind == "cut" else body[start:])

    def log_message(self, *args):
        pass


@pytest.fixture
def shop(monkeypatch):
    monkeypatch.setattr(download, "PIECE", 100_000)
    Shop.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def fetch(url, target, digest=DIGEST):
    return list(download.fetch(url, target, len(BODY), digest))


def test_a_fresh_download_arrives_whole_with_growing_progress_and_no_part_left(shop, tmp_path):
    seen = fetch(f"{shop}/ok/a.bin", tmp_path / "deep" / "a.bin")
    assert (tmp_path / "deep" / "a.bin").read_bytes() == BODY and [p.name for p in (tmp_path / "deep").iterdir()] == ["a.bin"]
    assert [p.done for p in seen] == sorted(p.done for p in seen) and seen[0].done == 0 and seen[-1].done == seen[-1].total == len(BODY)


def test_a_cut_connection_is_said_and_the_next_attempts_resume(shop, tmp_path):
    target = tmp_path / "a.bin"
    with pytest.raises(WeightsError, match="resume"):
        fetch(f"{shop}/cut/a.bin", target)
    have = (tmp_path / "a.bin.part").stat().st_size
    assert not target.exists() and 0 < have < len(BODY)
    fetch(f"{shop}/ok/a.bin", target)
    assert target.read_bytes() == BODY and Shop.asked == [None, f"bytes={have}-"]


def test_closing_the_generator_keeps_the_part_and_the_next_call_resumes(shop, tmp_path):
    running = download.fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin", len(BODY), DIGEST)
    while next(running).done < 300_000:
        pass
    running.close()
    assert (tmp_path / "a.bin.part").stat().st_size >= 300_000 and not (tmp_path / "a.bin").exists()
    fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_server_without_range_starts_over(shop, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"old bytes of something else")
    fetch(f"{shop}/norange/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_complete_part_is_checked_without_asking_the_server(shop, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(BODY)
    fetch(f"{shop}/missing/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY and Shop.asked == []


def test_a_wrong_digest_deletes_what_arrived_and_says_so(shop, tmp_path):
    with pytest.raises(WeightsError, match="another SHA-256"):
        fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin", "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_too_many_bytes_are_refused(shop, tmp_path):
    with pytest.raises(WeightsError, match="more bytes"):
        fetch(f"{shop}/long/a.bin", tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists() and (tmp_path / "a.bin.part").stat().st_size == 0


def test_an_error_of_the_server_and_a_dead_server_are_one_sentence_each(shop, tmp_path):
    with pytest.raises(WeightsError, match="answered 404"):
        fetch(f"{shop}/missing/a.bin", tmp_path / "a.bin")
    with pytest.raises(WeightsError, match="download failed"):
        fetch("http://127.0.0.1:9/a.bin", tmp_path / "a.bin")


def test_a_second_download_of_the_same_file_is_refused_while_the_first_runs(shop, tmp_path):
    first = download.fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin", len(BODY), DIGEST)
    next(first)
    with pytest.raises(WeightsError, match="already"):
        fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin")
    list(first)
    assert (tmp_path / "a.bin").read_bytes() == BODY
