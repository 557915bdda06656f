"""The served app: flags, endpoints, links, limits and errors, through real HTTP."""

import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

import app
from backends.moe import answer
from backends.moe.params import MoeParams
from backends.plain import numbers
from tests.conftest import ROOT
from ui import TABS


@pytest.fixture(scope="module")
def client(app_url):
    return Client(app_url, verbose=False)


def test_flags_win_over_the_environment(monkeypatch):
    monkeypatch.setenv("GRADIO_SERVER_NAME", "10.0.0.1")
    monkeypatch.setenv("GLASSBOX_MAX_UPLOAD", "7")
    monkeypatch.setenv("GLASSBOX_LONG_RUNS", "3")
    args = app.arguments(["--port", "9", "--device", "cpu"])
    assert (args.host, args.port, args.max_upload, args.share, args.auth) == ("10.0.0.1", 9, 7, False, None)
    assert (args.long_runs, args.events) == (3, 8)
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
    code = ("import app, sys; from ui import TABS; from ui.core.shell import build; build(TABS); print({'torch', "
            "'plotly'} & {*sys.modules})")
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                         timeout=120, check=True)
    assert out.stdout.strip() == "set()"


def test_launch_keeps_nothing_and_asks_nobody(app_url):
    config = Client(app_url, verbose=False).config
    assert config["analytics_enabled"] is False and not config.get("run_history") and config["footer_links"] == []


@pytest.mark.parametrize("tab", TABS, ids=lambda t: t.slug)
def test_each_shipped_tab_has_its_public_endpoint(app_url, tab):
    names = Client(app_url, verbose=False).view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert f"/{tab.slug}" in names


def test_the_endpoint_gives_the_numbers_of_the_mechanism(client):
    given = {"view": "plane", "k": 1, "count": 64, "seed": 3, "prototypes": [[0.5, 0.5], [-0.5, 0.25], [0.0, -0.5]]}
    params = MoeParams(**{**given, "prototypes": tuple(map(tuple, given["prototypes"]))})
    theirs = client.predict(**given, api_name="/moe")
    ours = numbers(answer(params))
    assert theirs["body"]["panels"][0]["layer"]["kept"] == ours["body"]["panels"][0]["layer"]["kept"]
    assert theirs.keys() == ours.keys()


def test_the_endpoint_of_a_long_view_streams_and_ends_with_its_last_result(client):
    job = client.submit(view="race", steps=50, alphas=["0"], api_name="/moe")
    last = job.result(timeout=240)
    grown = [one for one in job.outputs() if "body" in one]
    assert last["finished"] is True and len(grown) > 1 and not grown[0]["finished"]


def test_only_the_tabs_are_published(client):
    names = set(client.view_api(return_format="dict", print_info=False)["named_endpoints"])
    assert names == {f"/{tab.slug}" for tab in TABS} | ({"/everything"}
                                                        if "segment" in {tab.slug for tab in TABS} else set())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [({"k": 9}, "must lie between 1 and 8"), ({"view": "text", "text": "x"}, "at least 2 are needed")],
)
def test_the_endpoint_refuses_bad_values_with_one_sentence(client, given, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(**given, api_name="/moe")


@pytest.mark.parametrize("path", ["/etc/passwd", str(ROOT / "app.py"), str(ROOT / "weights" / "MANIFEST.json")])
@pytest.mark.case("A file of the machine by its address", "Status 403 or 404.")
def test_files_of_the_machine_are_not_served(app_url, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{app_url}gradio_api/file={path}", timeout=20)
    assert refused.value.code in (403, 404)


@pytest.mark.case("An upload over the limit", "Refused with status 413.")
def test_an_upload_over_the_limit_is_refused(app_url):
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.bin"\r\n\r\n'
    request = urllib.request.Request(f"{app_url}gradio_api/upload", head + b"0" * (21 << 20) + b"\r\n--x--\r\n")
    request.add_header("Content-Type", "multipart/form-data; boundary=x")
    with pytest.raises((urllib.error.HTTPError, urllib.error.URLError, ConnectionError)) as refused:
        urllib.request.urlopen(request, timeout=60)
    assert getattr(refused.value, "code", 413) == 413
