"""The served app: flags, endpoints, links, limits and errors, through real HTTP."""

import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

import app
from backends.plain import numbers
from tests.conftest import ROOT
from tests.ui.toy import TEXT
from tests.ui.toy_backend import WaveParams, grow, run
from ui import TABS


@pytest.fixture(scope="module")
def client(toy_url):
    return Client(toy_url, verbose=False)


def test_flags_win_over_the_environment(monkeypatch):
    monkeypatch.setenv("GRADIO_SERVER_NAME", "10.0.0.1")
    monkeypatch.setenv("GLASSBOX_MAX_UPLOAD", "7")
    args = app.arguments(["--port", "9", "--device", "cpu"])
    assert (args.host, args.port, args.max_upload, args.share, args.auth) == ("10.0.0.1", 9, 7, False, None)
    assert app.arguments(["--host", "::1", "--max-upload", "3"]).max_upload == 3


def test_a_space_listens_on_all_interfaces(monkeypatch):
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    assert app.arguments([]).host == "127.0.0.1"
    monkeypatch.setenv("SPACE_ID", "someone/glassbox")
    assert app.arguments([]).host == "0.0.0.0"


@pytest.mark.parametrize("auth", ["user", "user:", ":password"])
def test_auth_without_name_and_password_is_refused(auth):
    with pytest.raises(SystemExit):
        app.arguments(["--auth", auth])


def test_the_page_is_built_before_torch_and_plotly_are_imported():
    code = "import app, sys; from ui import TABS; from ui.shell import build; build(TABS); print({'torch', 'plotly'} & {*sys.modules})"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert out.stdout.strip() == "set()"


def test_launch_keeps_nothing_and_asks_nobody(app_url):
    config = Client(app_url, verbose=False).config
    assert config["analytics_enabled"] is False and not config.get("run_history") and config["footer_links"] == []


@pytest.mark.parametrize("tab", TABS, ids=lambda t: t.slug)
def test_each_shipped_tab_has_its_public_endpoint(app_url, tab):
    names = Client(app_url, verbose=False).view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert f"/{tab.slug}" in names


def test_the_endpoint_gives_the_numbers_of_the_mechanism(client):
    params = WaveParams(terms=5, flip=True, note=TEXT, gains=(2.0, -1.0))
    given = {"terms": 5, "flip": True, "note": TEXT, "gains": [2.0, -1.0]}
    assert client.predict(**given, api_name="/toy") == numbers(run(params))
    assert client.predict(api_name="/toy") == numbers(run(WaveParams()))


def test_the_endpoint_of_a_long_run_gives_its_last_result(client):
    assert client.predict(terms=4, api_name="/growing") == numbers(list(grow(WaveParams(terms=4)))[-1])


def test_only_the_tabs_are_published(client):
    assert set(client.view_api(return_format="dict", print_info=False)["named_endpoints"]) == {"/toy", "/growing"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [({"terms": 13}, "Terms must lie between 0 and 12."), ({"terms": 7, "flip": True}, "Seven harmonics cannot be flipped.")],
)
def test_the_endpoint_refuses_bad_values_with_one_sentence(client, given, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(**given, api_name="/toy")


@pytest.mark.parametrize("path", ["/etc/passwd", str(ROOT / "app.py"), str(ROOT / "weights" / "MANIFEST.json")])
def test_files_of_the_machine_are_not_served(toy_url, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{toy_url}gradio_api/file={path}", timeout=20)
    assert refused.value.code in (403, 404)


def test_an_upload_over_the_limit_is_refused(toy_url):
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.bin"\r\n\r\n'
    request = urllib.request.Request(f"{toy_url}gradio_api/upload", head + b"0" * (21 << 20) + b"\r\n--x--\r\n")
    request.add_header("Content-Type", "multipart/form-data; boundary=x")
    with pytest.raises((urllib.error.HTTPError, urllib.error.URLError, ConnectionError)) as refused:
        urllib.request.urlopen(request, timeout=60)
    assert getattr(refused.value, "code", 413) == 413
