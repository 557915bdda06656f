"""Bad input to every endpoint: one sentence for who sent it, one line in the log, and nothing else happens."""

import inspect
import json
import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import gradio as gr
import orjson
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from backends.result import Mechanism, Result
from tests.conftest import played
from ui import TABS
from ui.core import door
from ui.core.frame import Frame
from ui.core.gate import Gate

WRONG = [-1, 2.5, 10**400, -(10**30), float("nan"), float("inf"), 1e308, True, None, "<b>'&\ud800", "9" * 5000,
         [], [[None]], [float("nan")] * 2, {"path": "/etc/passwd"}, [10**400], [["a", "b"]], [[10**12, 10**12]], 10**9]


class Caller:
    """A client without a session, as the endpoints see it."""

    session_hash, headers = "somebody", ()
    client = type("client", (), {"host": "127.0.0.1"})
    url = type("url", (), {"path": "/gradio_api/call/x"})


def computed(self, run, params, inputs):
    """Instead of the mechanism: what was asked for comes back."""
    yield Result("", params, True, "", 0.0, ())


async def answer(function, given):
    """What an endpoint said in the end: its last answer, or its sentence."""
    try:
        async for item in function(Caller, **given):
            pass
        return orjson.dumps(item).decode() and None
    except gr.Error as error:
        assert not error.print_exception, error.message
        return error.message


async def refusals(function, base):
    """{(parameter, value): the sentence} over the matrix; what was no error is left out."""
    names = [name for name in inspect.signature(function).parameters if name != "request"]
    asked = [(name, value) for name in names for value in WRONG]
    said = {(name, repr(value)[:30]): await answer(function, {**base, name: value}) for name, value in asked}
    return {key: words for key, words in said.items() if words is not None}


@pytest.mark.parametrize("name", [*(tab.slug for tab in TABS), "everything"])
@pytest.mark.case("NaN, lengths of 10^9, wrong types, paths, to every endpoint",
                  "One sentence and one line in the log each.")
def test_a_wrong_value_of_any_parameter_is_one_sentence(name, built, fake, monkeypatch, caplog):
    monkeypatch.setattr(Mechanism, "_results", computed)
    monkeypatch.setattr(built.frame.lanes, "heard", lambda session: True)
    function = next(f.fn for f in built.fns.values() if f.api_name == name)
    base = {"segment": {"picture": "scene-a"}, "everything": {"picture": "scene-a", "points_per_side": 1}}
    said = played(refusals(function, base.get(name, {})))
    assert len(said) > 100
    odd = {key: words for key, words in said.items()
           if len(words) > 260 or "\n" in words or "&#" in words or "log says why" in words or words[-1] not in ".)"}
    assert not odd
    lines = [r for r in caplog.records if r.name == "glassbox"]
    assert len(lines) == len(said) and not any(r.exc_info or "\n" in r.getMessage() for r in lines)


def test_what_is_wrong_with_a_request_is_said_without_markup(built):
    said = played(answer(next(f.fn for f in built.fns.values() if f.api_name == "rope"), {"model": "<b>'"}))
    assert said == 'There is no model called "<b>\'" on this server\'s shelf.'


def posted(url, path, body):
    """(status, answer) of a POST."""
    try:
        with urllib.request.urlopen(urllib.request.Request(
                url + path, body, {"Content-Type": "application/json"}), timeout=60) as done:
            return done.status, json.load(done)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.case("A request that is no event", "One sentence with status 422 or 404.")
def test_a_request_that_is_no_event_is_one_sentence(app_url):
    for body in (b"5", b"[]", b"", b"{", b"\xff", b'{"data": 5}', b'{"data": {}}', b'{"data": []}',
                 b'{"data": [], "session_hash": 7}', b'{"data": [' + b"[" * 5000 + b"]" * 5000 + b"]}",
                 b'{"data": [' + b"9" * 5000 + b"]}", json.dumps({"data": [0] * 100}).encode()):
        status, said = posted(app_url, "gradio_api/call/moe", body)
        assert status == 422 and said["error"].endswith(".") and len(said["error"]) < 100, (body[:30], said)
    for number in (b"-1", b"99999", b'"x"', b"[1]", b"null"):
        body = b'{"data": [], "session_hash": "x", "fn_index": ' + number + b"}"
        assert posted(app_url, "gradio_api/queue/join", body) == (404, {"detail": door.NO_ENDPOINT[1],
                                                                        "error": door.NO_ENDPOINT[1]})
    assert posted(app_url, "gradio_api/call/nothing", b'{"data": []}')[0] == 404


@pytest.mark.case("An event of more than 32 MB", "One sentence with status 413 while it comes.")
def test_an_event_that_is_too_large_is_refused_while_it_comes(app_url):
    status, said = posted(app_url, "gradio_api/call/moe", b" " * (door.MOST + 1))
    assert status == 413 and said["error"] == "This request is larger than 32 MB."


@pytest.mark.case("A query of 10 MB", "Status 400; the next request is answered.")
def test_a_query_that_is_too_long_is_refused_and_the_next_one_answered(app_url):
    to = urlsplit(app_url)
    with socket.create_connection((to.hostname, to.port), timeout=30) as line:
        try:
            line.sendall(b"GET /?tab=moe&text=" + b"x" * 10_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        except OSError:
            pass                         # the server has hung up
        assert line.recv(100).startswith(b"HTTP/1.1 400 ")
    assert urllib.request.urlopen(f"{app_url}?tab=moe&text={'x' * 50_000}", timeout=60).status == 200


@pytest.mark.case("Wrong passwords", "After ten in a minute their address waits; others do not.")
def test_wrong_passwords_of_one_address_are_throttled(monkeypatch):
    """The right one waits, too, or it could be told from the wrong ones; others are not concerned."""
    async def login(request):
        return Response(status_code=200 if (await request.body()) == b"right" else 400)

    now = [100.0]
    monkeypatch.setattr(door.time, "monotonic", lambda: now[0])
    page = type("page", (), {"frame": Frame(), "fns": {}})
    gate = Gate(Starlette(routes=[Route("/login", login, methods=["POST"])]), page, 8)
    here, there = (TestClient(gate, client=(host, 1)) for host in ("10.0.0.1", "10.0.0.2"))
    assert here.post("/login", content=b"right").status_code == 200
    assert [here.post("/login", content=b"wrong").status_code for _ in range(11)] == [400] * 10 + [429]
    assert here.post("/login", content=b"right").json()["error"] == door.TOO_OFTEN[1]
    assert there.post("/login", content=b"right").status_code == 200
    now[0] += 61
    assert here.post("/login", content=b"right").status_code == 200
