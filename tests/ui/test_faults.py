"""Where the page is served goes wrong or is unusual: a taken port, IPv6, a Space, and a client that leaves half way."""

import json
import socket
import sys
import time
import urllib.request
from types import SimpleNamespace

import pytest
from gradio_client import Client
from starlette.requests import ClientDisconnect

import app
import ui
from tests.conftest import free_port, played
from ui.core import start
from ui.core.frame import Frame
from ui.core.gate import Gate
from ui.core.shell import build
from ui.tabs.scale import TAB as SCALE


@pytest.fixture
def served(monkeypatch):
    """The small page with some flags; gives its address of ``host``."""
    pages = []

    def serve(host, *flags):
        port = free_port()
        pages.append(build((SCALE,)))
        app.launch(pages[-1], app.arguments(["--port", str(port), *flags]), prevent_thread_lock=True, quiet=True)
        return f"http://{host}:{port}/"

    yield serve
    for page in pages:
        page.close()


def answer(url):
    with urllib.request.urlopen(url, timeout=60) as said:
        return json.load(said)


@pytest.mark.case("The port is taken", "One sentence that names the port and --port.")
def test_a_taken_port_is_one_sentence(monkeypatch):
    monkeypatch.setattr(ui, "TABS", (SCALE,))
    for name in ("log_to", "uploads"):
        monkeypatch.setattr(start, name, lambda *_: None)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(sys, "argv", ["app.py", "--port", str(port)])
        with pytest.raises(SystemExit) as ended:
            app.main()
    assert ended.value.code == f"Glassbox cannot start: port {port} is taken, choose another one with --port."


@pytest.mark.case("IPv6", "It listens and answers.")
def test_it_listens_on_ipv6(served):
    try:
        socket.socket(socket.AF_INET6).bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert answer(f"{served('[::1]', '--host', '::1')}healthz") == {"status": "ok"}


def test_a_space_is_served_as_hugging_face_starts_it(served, monkeypatch):
    """All interfaces, no request to anyone, and ZeroGPU's package in the place of the card."""
    for name, value in (("SYSTEM", "spaces"), ("SPACE_ID", "someone/glassbox"), ("SPACE_HOST", "x.hf.space")):
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=lambda duration: lambda function: function))
    url = served(socket.gethostbyname(socket.gethostname()))
    config = answer(f"{url}config")
    assert config["space_id"] == "someone/glassbox" and config["analytics_enabled"] is False
    assert not config.get("pwa") and answer(f"{url}glass/manifest.json")["display"] == "standalone"


@pytest.mark.case("The clock is set back to 1970", "Runs are answered as before, long ones too.")
def test_a_clock_that_is_set_back_changes_nothing(served, monkeypatch):
    client = Client(served("127.0.0.1"), verbose=False)
    views = [{"view": "dial"}, {"view": "training", "steps": 10, "routes": ["sqrt"]}]
    before = [client.predict(**view, api_name="/scale") for view in views]
    monkeypatch.setattr(time, "time", lambda: 0.0)
    after = [client.predict(**view, api_name="/scale") for view in views]
    assert before == after and all(found["finished"] for found in after)


@pytest.mark.case("A client leaves mid-upload or mid-event", "One line in the log: the client has gone.")
def test_a_client_that_leaves_half_way_is_one_line(caplog):
    """In the middle of its event, and of an upload, whose body gradio reads."""
    async def upload(scope, receive, send):
        raise ClientDisconnect

    coming = iter([{"type": "http.request", "body": b'{"da', "more_body": True}, {"type": "http.disconnect"}])

    async def receive():
        return next(coming)

    gate = Gate(upload, SimpleNamespace(frame=Frame(), fns={}), 8)
    for path in ("/gradio_api/call/moe", "/gradio_api/upload"):
        played(gate({"type": "http", "method": "POST", "path": path, "headers": []}, receive, None))
    assert [r.getMessage().partition(": ")[2] for r in caplog.records] == ["the client has gone"] * 2
