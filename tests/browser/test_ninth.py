"""README's "Adding a tab" is followed: a ninth tab, ALiBi on the trained byte model, in one folder and one line of a
copy."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from gradio_client import Client

from tests.conftest import ROOT, serving
from tests.ui import ninth

SUITES = ("tests/ui/test_tab.py", "tests/ui/test_language.py", "tests/snippets/test_snippets.py")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project with the ninth tab, as README says."""
    folder = tmp_path_factory.mktemp("ninth")
    for name in ("ui", "backends", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", folder)                     # a link would be run from where it points to
    for name in ("assets", "weights", "pyproject.toml", "README.md", "requirements.txt"):
        (folder / name).symlink_to(ROOT / name)
    room = folder / "ui" / "tabs" / "alibi"
    room.mkdir()
    for name, content in ninth.FILES.items():
        (room / name).write_text(content, encoding="utf-8")
    listed = folder / "ui" / "__init__.py"
    text = listed.read_text("utf-8")
    text = text.replace("from ui.tabs.moe", ninth.LINE + "from ui.tabs.moe", 1)
    listed.write_text(re.sub(r"\)\n*$", ", ALIBI)\n", text.replace(",)", ")")), encoding="utf-8")
    return folder


def test_it_takes_at_most_150_lines():
    assert sum(content.count("\n") for content in ninth.FILES.values()) <= 150


def test_the_suite_s_own_tests_of_tabs_hold_for_it(copy):
    env = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k",
               "alibi or catalogue or twins", *SUITES]
    out = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, timeout=280)
    assert out.returncode == 0 and "alibi" not in out.stdout, out.stdout[-3000:]


def test_it_has_widgets_link_endpoint_and_looks_like_the_others(copy, tmp_path, open_page):
    with serving(["app.py", "--device", "cpu"], tmp_path, root=copy) as url:
        result = Client(url, verbose=False).predict(strength=0.0, api_name="/alibi")
        assert result["body"]["nats"][0] == pytest.approx(
            result["body"]["nats"][result["body"]["strengths"].index(0.0)])
        page = open_page(f"{url}?tab=alibi&v=1&strength=4.0")
        page.wait_for_selector("#alibi-plot .main-svg")
        assert page.input_value("#alibi-strength input[type=number]") == "4"
        assert page.locator("#alibi-notice li[data-ok=true]").count() == 1
        with page.expect_download() as saved:
            page.click("#alibi-json")
        assert json.loads(saved.value.path().read_text())[-1]["strength"] == 4.0
        page.click("[data-glassbox=language]")
        page.wait_for_selector("text=强惩罚有害")
