"""A download is whole or not there: resumed, checked, renamed; against a server of the test's own."""
import hashlib
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from backends import download, stop
from backends.weights import WeightsError
from tests.conftest import ROOT

BODY = bytes(range(256)) * 6000
DIGEST = hashlib.sha256(BODY).hexdigest()


class Shop(BaseHTTPRequestHandler):
    """Serves BODY; the first part of the path chooses the behaviour."""

    asked: ClassVar[list[str | None]] = []
    proxied: ClassVar[list[str]] = []

    def do_GET(self):
        if "://" in self.path:
            self.proxied.append(self.path)
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        kind = self.path.split("/")[-2]
        if kind in ("missing", "broken"):
            self.send_error(404 if kind == "missing" else 503)
            return
        body = {"long": BODY + b"more", "unmeasured": BODY + b"more", "login": b"<html>please log in"}.get(kind, BODY)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and kind not in ("norange", "login") else 0
        if kind == "wrongrange" and start:
            start -= 7
        if kind == "norest" and start:
            self.send_error(416)
            return
        self.answer(body, start, measured=kind != "unmeasured")
        self.wfile.write(body[start:start + 300_000] if kind == "cut" else body[start:])

    def answer(self, body: bytes, start: int, measured: bool):
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if measured:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def shop(monkeypatch):
    monkeypatch.setattr(download, "PIECE", 100_000)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(Shop, "asked", [])
    monkeypatch.setattr(Shop, "proxied", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetch(url, target, digest=DIGEST):
    return list(download.fetch(url, target, len(BODY), digest))


def test_a_fresh_download_arrives_whole_with_growing_progress_and_no_part_left(shop, tmp_path):
    seen = fetch(f"{shop}/ok/a.bin", tmp_path / "deep" / "a.bin")
    assert (tmp_path / "deep" / "a.bin").read_bytes() == BODY
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.bin"]
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert seen[0].done == 0 and seen[-1].done == seen[-1].total == len(BODY)


@pytest.mark.case("A download is cut", "One sentence; the next attempt goes on where it stopped.")
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


def test_a_stop_keeps_the_part_and_the_next_call_resumes(shop, tmp_path):
    token = stop.Token()
    with stop.watch(token), pytest.raises(stop.Stopped):
        for progress in download.fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin", len(BODY), DIGEST):
            if progress.done >= 300_000:
                token.stop()
    have = (tmp_path / "a.bin.part").stat().st_size
    assert 300_000 <= have < len(BODY) and not (tmp_path / "a.bin").exists()
    fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY and Shop.asked == [None, f"bytes={have}-"]


def test_a_server_without_range_starts_over(shop, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"old bytes of something else")
    fetch(f"{shop}/norange/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_complete_part_is_checked_without_asking_the_server(shop, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(BODY)
    fetch(f"{shop}/missing/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY and Shop.asked == []


@pytest.mark.case("A download is another file", "It is deleted, and one sentence says so.")
def test_a_wrong_digest_deletes_what_arrived_and_says_so(shop, tmp_path):
    with pytest.raises(WeightsError, match="another SHA-256"):
        fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin", "0" * 64)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["long", "login"])
def test_a_file_of_another_length_is_refused_and_what_is_here_is_kept(shop, tmp_path, kind):
    (tmp_path / "a.bin.part").write_bytes(BODY[:1000])
    with pytest.raises(WeightsError, match=r"server offers .* nothing was taken"):
        fetch(f"{shop}/{kind}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin.part").read_bytes() == BODY[:1000]
    fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_too_many_bytes_are_refused_even_if_the_server_does_not_name_their_number(shop, tmp_path):
    with pytest.raises(WeightsError, match="more bytes"):
        fetch(f"{shop}/unmeasured/a.bin", tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists() and (tmp_path / "a.bin.part").stat().st_size == 0


@pytest.mark.parametrize("kind", ["norest", "wrongrange"])
def test_a_server_without_the_rest_that_was_asked_for_starts_over(shop, tmp_path, kind):
    (tmp_path / "a.bin.part").write_bytes(BODY[:1000])
    fetch(f"{shop}/{kind}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY and Shop.asked == ["bytes=1000-", None]


def test_a_part_longer_than_the_file_starts_over(shop, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(BODY + b"more")
    fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY and Shop.asked == [None]


@pytest.mark.parametrize("kind, code", [("missing", 404), ("broken", 503)])
def test_an_error_of_the_server_is_one_sentence_and_keeps_the_part(shop, tmp_path, kind, code):
    (tmp_path / "a.bin.part").write_bytes(BODY[:1000])
    with pytest.raises(WeightsError, match=f"answered {code} for a.bin"):
        fetch(f"{shop}/{kind}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin.part").stat().st_size == 1000 and not (tmp_path / "a.bin").exists()


@pytest.mark.case("The server of a download is dead", "One sentence: the download failed.")
def test_a_dead_server_is_one_sentence(shop, tmp_path):
    with pytest.raises(WeightsError, match="download failed"):
        fetch("http://127.0.0.1:9/a.bin", tmp_path / "a.bin")


@pytest.mark.case("The cache is read-only", "One sentence: it cannot be written.")
def test_a_folder_that_cannot_be_written_is_one_sentence(shop, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match="cannot be written"):
        fetch(f"{shop}/ok/a.bin", tmp_path / "file" / "a.bin")


@pytest.mark.case("The disk is full", "One sentence; with room again the download goes on.")
def test_a_full_disk_is_one_sentence_and_the_next_download_goes_on(shop, tmp_path):
    """A limit on the size of files stands for the disk: the system refuses the same calls."""
    resource, target = pytest.importorskip("resource"), tmp_path / "a.bin"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(WeightsError, match=r"failed|cannot be written"):
            fetch(f"{shop}/whole/a.bin", target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not target.exists()
    fetch(f"{shop}/whole/a.bin", target)
    assert target.read_bytes() == BODY


def test_a_whole_target_is_left_alone_without_asking_and_a_wrong_one_is_replaced(shop, tmp_path):
    (tmp_path / "a.bin").write_bytes(BODY)
    assert [p.done for p in fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin")] == [len(BODY)] and Shop.asked == []
    (tmp_path / "a.bin").write_bytes(BODY[:-1] + b"x")
    fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_the_proxy_of_the_environment_is_used(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(urllib.request, "_opener", None)
    monkeypatch.setenv("http_proxy", shop)
    fetch("http://weights.invalid/ok/a.bin", tmp_path / "a.bin")
    assert Shop.proxied == ["http://weights.invalid/ok/a.bin"] and (tmp_path / "a.bin").read_bytes() == BODY


def test_many_downloads_of_one_file_at_once_leave_one_whole_file(shop, tmp_path):
    def attempt(_):
        try:
            return len(fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin"))
        except WeightsError as error:
            return str(error)
    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(attempt, range(40)))
    assert any(isinstance(end, int) for end in ends)
    assert {end for end in ends if isinstance(end, str)} <= {"This file is being downloaded already."}
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_the_final_name_never_holds_part_of_a_file(shop, tmp_path):
    for progress in download.fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin", len(BODY), DIGEST):
        assert not (tmp_path / "a.bin").exists() and progress.total == len(BODY)
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_a_second_download_of_the_same_file_is_refused_while_the_first_runs(shop, tmp_path):
    first = download.fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin", len(BODY), DIGEST)
    next(first)
    with pytest.raises(WeightsError, match="already"):
        fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin")
    list(first)
    assert (tmp_path / "a.bin").read_bytes() == BODY


OTHER = """
import sys
from backends import download, weights
try:
    print(list(download.fetch(sys.argv[1], download.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))[-1].done)
except weights.WeightsError as error:
    print(error)
"""


@pytest.mark.case("Two processes share one cache", "One downloads, the other gets one sentence, and later the file.")
def test_another_process_waits_its_turn_and_then_finds_the_file(shop, tmp_path):
    def other():
        command = [sys.executable, "-c", OTHER, f"{shop}/ok/a.bin", str(tmp_path / "a.bin"), str(len(BODY)), DIGEST]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout.strip()

    mine = download.fetch(f"{shop}/ok/a.bin", tmp_path / "a.bin", len(BODY), DIGEST)
    next(mine)
    assert other() == "This file is being downloaded already."
    list(mine)
    asked = len(Shop.asked)
    assert other() == str(len(BODY)) and len(Shop.asked) == asked and (tmp_path / "a.bin").read_bytes() == BODY
