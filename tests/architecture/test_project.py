"""Requirements, tabs and README agree with the code."""

import re
import sys
import tomllib

from tests.architecture.tree import ROOT, imported, modules, parsed, text

PACKAGES = {"markdown_it": "markdown-it-py", "PIL": "pillow", "segment_anything": "segment-anything",
            "yaml": "pyyaml"}
README = text(ROOT / "README.md")
TOP = {"app.py", "ui", "backends", "assets", "weights", "tests", "benchmarks", "deploy", "requirements.txt",
       "README.md", "LICENSE", "pyproject.toml"}


def pins(name):
    """{package: version} of a requirements file; every line must be an exact pin."""
    lines = [line for line in (ROOT / name).read_text("utf-8").splitlines() if line
             and not line.startswith(("#", "--"))]
    found = [re.fullmatch(r"([A-Za-z0-9_.-]+)==([0-9][A-Za-z0-9.+]*)", line) for line in lines]
    assert all(found), lines
    return {m[1].lower(): m[2] for m in found}


def used(*places):
    """Distribution names of the third-party packages that modules import."""
    tops = {top for p in modules(*places) for _, top, _ in imported(parsed(p))}
    ours = {"ui", "backends", "app", "tests", "benchmarks", "spaces", "."}
    return {PACKAGES.get(top, top.replace("_", "-")).lower() for top in tops - ours - set(sys.stdlib_module_names)}


def test_requirements_are_exact_and_direct():
    """pillow-heif is an optional extra, for pictures of phones; starlette and pydantic come with gradio; transformers
    reads GGUF files with gguf."""
    extras = {"pillow-heif", "starlette", "pydantic"}
    assert set(pins("requirements.txt")) == used("app.py", "ui", "backends") - extras | {"gguf"}


def test_test_requirements_are_exact_and_complete():
    ours, app = pins("tests/requirements.txt"), pins("requirements.txt")
    with_others = {"gradio-client", "huggingface-hub", "orjson", "pyyaml", "starlette", "tokenizers"}
    assert used("tests") <= set(ours) | set(app) | with_others
    assert not set(ours) & set(app)


def test_tests_of_one_group_run_in_one_worker(request):
    """pytest-xdist marks them in their ids; with a pytest that it does not know it marks nothing and says nothing."""
    assert ("@" in request.node.nodeid) == getattr(request.config.option, "loadgroup", False)


def test_each_module_that_exports_a_tab_is_listed_once_and_in_the_readme():
    from ui import TABS

    exporting = [p for p in modules("ui") if re.search(r"^TAB\b.*=", text(p), re.M)]
    assert len(TABS) == len(exporting)
    assert len({tab.slug for tab in TABS}) == len(TABS)
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", README, re.M)
    assert rows == [(tab.slug, f"[{tab.title}](ui/tabs/{tab.slug}/README.md)", tab.question) for tab in TABS]


def test_the_readme_opens_with_the_front_matter_of_a_space():
    matter = dict(line.split(": ", 1) for line in README.split("---")[1].strip().splitlines())
    assert matter["sdk"] == "gradio" and matter["sdk_version"] == pins("requirements.txt")["gradio"]
    assert matter["app_file"] == "app.py" and matter["python_version"] == '"3.11"' and matter["license"] == "apache-2.0"


def test_the_backends_can_be_installed_from_the_checkout():
    """``pip install -e .`` takes the folders of backends that are packages, and the pins of requirements.txt."""
    project = tomllib.loads(text(ROOT / "pyproject.toml"))
    assert project["project"]["name"] == "glassbox" and project["project"]["requires-python"] == ">=3.11"
    assert project["tool"]["setuptools"]["packages"]["find"]["include"] == ["backends", "backends.*"]
    assert project["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}
    assert [p.parent for p in modules("backends") if not (p.parent / "__init__.py").exists()] == []


def test_the_top_level_stays_small():
    skip = {"test-screenshots", "__pycache__"}
    assert {p.name for p in ROOT.iterdir() if not p.name.startswith(".")} - skip <= TOP


def test_the_readme_has_the_two_commands():
    install = "pip install -r requirements.txt"
    for line in (f"{install} && python app.py", f"{install} -r tests/requirements.txt && python -m pytest"):
        assert f"```\n{line}\n```" in README


def test_no_two_rooms_style_the_same_class():
    rooms = {}
    for file in (ROOT / "ui" / "tabs").glob("*/style.css"):
        rules = re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.DOTALL)
        for name in re.findall(r"(?:^|[},])\s*\.(gb-(?!tab-)[\w-]+)[^{}]*(?={)", rules):
            rooms.setdefault(name, set()).add(file.parent.name)
    assert {name: found for name, found in rooms.items() if len(found) > 1} == {}
