"""Requirements, tabs, README and manifest agree with the code."""

import ast
import json
import re
import sys

import pytest

from tests.architecture.test_imports import imported
from tests.architecture.tree import ROOT, modules
from ui import TABS

PACKAGES = {"PIL": "pillow", "segment_anything": "segment-anything"}
README = (ROOT / "README.md").read_text("utf-8")
TOP = {"app.py", "ui", "backends", "assets", "weights", "tests", "benchmarks", "requirements.txt", "README.md", "LICENSE", "pyproject.toml"}


def pins(name):
    """{package: version} of a requirements file; every line must be an exact pin."""
    lines = [line for line in (ROOT / name).read_text("utf-8").splitlines() if line and not line.startswith(("#", "--"))]
    found = [re.fullmatch(r"([A-Za-z0-9_.-]+)==([0-9][A-Za-z0-9.+]*)", line) for line in lines]
    assert all(found), lines
    return {m[1].lower(): m[2] for m in found}


def used(*places):
    """Distribution names of the third-party packages that modules import."""
    tops = {top for p in modules(*places) for _, top, _ in imported(ast.parse(p.read_text("utf-8")))}
    ours = {"ui", "backends", "app", "tests", "spaces", "."}
    return {PACKAGES.get(top, top.replace("_", "-")).lower() for top in tops - ours - set(sys.stdlib_module_names)}


def test_requirements_are_exact_and_direct():
    """transformers is an optional extra, for checkpoints of the user's own."""
    assert set(pins("requirements.txt")) == used("app.py", "ui", "backends") - {"transformers"}


def test_test_requirements_are_exact_and_complete():
    ours, app = pins("tests/requirements.txt"), pins("requirements.txt")
    assert used("tests") <= set(ours) | set(app) | {"gradio-client", "huggingface-hub"}
    assert not set(ours) & set(app)


def test_each_module_that_exports_a_tab_is_listed_once():
    exporting = [p for p in modules("ui") if re.search(r"^TAB\b.*=", p.read_text("utf-8"), re.M)]
    assert len(TABS) == len(exporting)
    assert len({tab.slug for tab in TABS}) == len(TABS)


def test_the_readme_lists_the_tabs():
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", README, re.M)
    assert rows == [(tab.slug, tab.title, tab.question) for tab in TABS]


def test_the_readme_opens_with_the_front_matter_of_a_space():
    matter = dict(line.split(": ", 1) for line in README.split("---")[1].strip().splitlines())
    assert matter["sdk"] == "gradio" and matter["sdk_version"] == pins("requirements.txt")["gradio"]
    assert matter["app_file"] == "app.py" and matter["python_version"] == '"3.11"' and matter["license"] == "apache-2.0"


def test_the_readme_names_every_shipped_weight():
    entries = json.loads((ROOT / "weights" / "MANIFEST.json").read_text("utf-8"))["weights"]
    assert [e["name"] for e in entries if e.get("file") and f"`{e['name']}`" not in README] == []


def test_the_top_level_stays_small():
    skip = {"test-screenshots", "__pycache__"}
    assert {p.name for p in ROOT.iterdir() if not p.name.startswith(".")} - skip <= TOP


INSTALL = "pip install -r requirements.txt"


@pytest.mark.parametrize("line", [f"{INSTALL} && python app.py", f"{INSTALL} -r tests/requirements.txt && python -m pytest"])
def test_the_readme_has_the_two_commands(line):
    assert f"```\n{line}\n```" in README
