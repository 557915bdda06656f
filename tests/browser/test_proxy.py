"""The app behind nginx under a sub-path, by the file of ``deploy/``: clicks, streams, downloads and links."""

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from urllib.parse import urljoin

import pytest

from tests.browser.board import Board
from tests.conftest import ROOT, answering, free_port, serving

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
AROUND = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off; include /etc/nginx/mime.types;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{server}
}}
"""


@contextmanager
def behind(url, folder):
    """nginx before the app at ``url``; yields the page's address."""
    port, server = free_port(), (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    server = server.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("http://glassbox:7860/", url)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, server=server))
    nginx = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"])
    try:
        answering(f"http://127.0.0.1:{port}/glassbox/healthz", nginx, folder / "error.log", 30)
        yield f"http://127.0.0.1:{port}/glassbox/"
    finally:
        nginx.terminate()
        nginx.wait(20)


@pytest.mark.skipif(not NGINX, reason="nginx is not installed")
def test_the_page_works_under_a_sub_path_behind_nginx(open_page, tmp_path):
    """Clicks, a stream, a download, a link, and what a browser installs; nginx refuses an upload that is too large."""
    command = ["-m", "tests.browser.segment_app", "--device", "cpu", "--root-path", "/glassbox"]
    with serving(command, tmp_path) as app, behind(app, tmp_path) as url:
        with pytest.raises(urllib.error.URLError) as large:
            urllib.request.urlopen(urllib.request.Request(f"{url}gradio_api/upload", b"0" * (22 << 20)), timeout=60)
        assert getattr(large.value, "code", 413) == 413
        board = Board(open_page(f"{url}?points_per_side=2&crop_n_layers=0"), "segment-canvas").ready("chelsea")
        page = board.page
        board.click(200, 150)
        assert len(board.settled().state()["areas"]) == 3
        page.select_option(f"{board.root} .gx-format", "coco")
        with page.expect_download() as got:
            board.tool("download")
        assert json.loads(got.value.path().read_text())["annotations"]
        page.click("#segment-find")
        page.wait_for_selector(f"{board.root}[data-records=final]")
        page.click("#segment-link")
        page.wait_for_function("document.querySelector('#gb-share-text')?.value")
        assert page.input_value("#gb-share-text").startswith(f"{url}?tab=segment")
        manifest = page.evaluate("document.querySelector('link[rel=manifest]').href")
        assert manifest == f"{url}glass/manifest.json"
        with urllib.request.urlopen(manifest, timeout=60) as answer:
            [icon] = json.load(answer)["icons"]
        assert urllib.request.urlopen(urljoin(manifest, icon["src"]), timeout=60).read().startswith(b"<svg")
