"""Weights from the hub: what is offered, and a download from a local server that answers as the hub does."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import timm
import torch
from safetensors.torch import save

from backends.swin import capture, hub
from backends.weights import WeightsError

NAME = "swin_tiny_patch4_window7_224"
PATH = f"/timm/{NAME}.ms_in1k/resolve/main/model.safetensors"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLASSBOX_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def file():
    """(bytes, SHA-256) of a file of random weights."""
    torch.manual_seed(0)
    data = save(timm.create_model(NAME, pretrained=False).state_dict())
    return data, hashlib.sha256(data).hexdigest()


@pytest.fixture
def served(monkeypatch, file):
    """Requests to a server that has the file; `lie` in the list makes it name another digest, `silent` none."""
    (data, true), asked = file, []

    class Handler(BaseHTTPRequestHandler):
        def answer(self, code, headers):
            asked.append((self.command, self.path))
            self.send_response(code)
            for key, value in headers.items():
                self.send_header(key, str(value))
            self.end_headers()

        def do_HEAD(self):
            digest = "0" * 64 if "lie" in asked else true
            linked = {} if "silent" in asked else {"X-Linked-Size": len(data), "X-Linked-Etag": f'"{digest}"'}
            self.answer(*((302, {"Location": "/blob", **linked}) if self.path == PATH
                          else (200, {"Content-Length": len(data)})))

        def do_GET(self):
            if self.path == PATH:
                self.do_HEAD()
                return
            self.answer(200, {"Content-Length": len(data)})
            self.wfile.write(data)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    monkeypatch.setattr(hub, "HUB", f"http://127.0.0.1:{server.server_port}")
    yield asked
    server.shutdown()
    server.server_close()


def test_an_offer_says_what_it_would_be_and_asks_nobody(served):
    assert hub.offer(NAME) == hub.Offer(f"timm/{NAME}.ms_in1k", "mit", 113, False) and served == []


@pytest.mark.parametrize(("name", "sentence"), [
    ("resnet50", "no Swin architecture"), ("swinv2_cr_giant_224", "hub has no weights"),
    ("../../etc", "no Swin architecture")])
def test_what_the_hub_does_not_have_is_one_sentence(name, sentence):
    for ask in (hub.offer, lambda one: list(hub.fetch(one))):
        with pytest.raises(capture.CaptureError, match=sentence):
            ask(name)


def test_a_download_is_checked_kept_loaded_and_not_repeated(served):
    steps = list(hub.fetch(NAME))
    assert steps[-1].done == steps[-1].total and served == [("HEAD", PATH), ("GET", PATH), ("GET", "/blob")]
    assert list(hub.fetch(NAME)) == [] and hub.offer(NAME).here and len(served) == 3
    assert capture.own(hub.place(NAME), NAME).name == NAME


@pytest.mark.parametrize(("manner", "sentence"), [("lie", "another SHA-256"), ("silent", "did not name")])
def test_what_cannot_be_verified_is_not_kept(served, manner, sentence):
    served.append(manner)
    with pytest.raises((capture.CaptureError, WeightsError), match=sentence):
        list(hub.fetch(NAME))
    assert not hub.place(NAME).exists()


def test_without_a_network_it_is_one_sentence(monkeypatch):
    monkeypatch.setattr(hub, "HUB", "http://127.0.0.1:9")
    with pytest.raises(capture.CaptureError, match="cannot be reached"):
        list(hub.fetch(NAME))
