"""What the project says of itself holds: pages of tabs, figures of weights, commands, flags, links."""

import argparse
import ast
import importlib
import importlib.util
import json
import re
import shlex

import pytest

import app
from tests import cases
from tests.architecture import tree
from tests.architecture.tree import ROOT, modules, text
from ui import TABS
from ui.core.problems import linked_to

README = text(ROOT / "README.md")
PAGES = {tab.slug: text(ROOT / "ui" / "tabs" / tab.slug / "README.md") for tab in TABS}
DOCUMENTS = sorted(p for folder in (".", "deploy", "weights", "tests", "ui/tabs/*") for p in ROOT.glob(f"{folder}/*.md")
                   if not p.name.startswith("explain"))
ENTRIES = {e["name"]: e for e in json.loads(text(ROOT / "weights" / "MANIFEST.json"))["weights"]}
RUN = re.compile(r"python -m ([a-z_.]+)")


def test_the_readme_is_ten_lines_and_three_pictures_and_what_follows_is_short():
    said, *rest = README.split("# Glassbox\n\n")[1].split("\n\n")
    pictures = re.findall(r"!\[.+?\]\((assets/\S+)\)", rest[0])
    assert len(said.splitlines()) == 10 and len(pictures) == 3
    assert all((ROOT / picture).stat().st_size < 100_000 for picture in pictures)
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("slug", PAGES)
def test_the_page_of_a_tab_is_short_and_its_links_are_those_of_presets(slug):
    tab = next(one for one in TABS if one.slug == slug)
    page = PAGES[slug]
    presets = {preset.name: preset.params for preset in tab.presets}
    first = re.findall(rf"^\d\. \[(.+?)\]\(http://127\.0\.0\.1:7860/\?(tab={slug}\S*)\):", page, re.M)
    assert len(first) == 3 and all(linked_to(tab, query) == presets[name] for name, query in first)
    assert page.startswith(f"# {tab.title}\n\n*{tab.question}*\n") and len(page.splitlines()) <= 40
    assert {"Try first", "What is real", "From a program", "Limits"} == set(re.findall(r"^## (.+)$", page, re.M))
    assert f"`/{slug}`" in page


def numbers(found):
    """Every number in the figures of a weight."""
    if isinstance(found, dict | list):
        return [n for one in (found.values() if isinstance(found, dict) else found) for n in numbers(one)]
    return [found] if isinstance(found, int | float) else []


def test_the_readme_says_of_every_weight_what_the_manifest_says_that_it_reached():
    rows = re.findall(r"^\| (`[a-z0-9]+-?.*?`) \| (.+) \| (.+) \|$", README.split("## What ships")[1], re.M)
    named = [(re.findall(r"`([\w-]+)`", first), re.findall(r"\d\.\d{3}", reached)) for first, _, reached in rows]
    assert sorted(name for names, _ in named for name in names) == sorted(n for n, e in ENTRIES.items() if "file" in e)
    for names, said in named:
        known = {f"{n:.3f}" for name in names for n in numbers([ENTRIES[name]["metric"], ENTRIES[name]["measured"]])}
        wanted = [f"{ENTRIES[name]['metric']['value']:.3f}" for name in names if ENTRIES[name]["steps"]]
        assert set(said) <= known and said[:len(wanted)] == wanted, (names, said)


class ParsedError(Exception):
    """Instead of what a recipe does after it has read its flags."""


def parsed(line, monkeypatch):
    """The flags of a recipe's command line, by its own parser."""
    module, *words = shlex.split(line)
    read = argparse.ArgumentParser.parse_args

    def only(self, args=None, namespace=None):
        raise ParsedError(read(self, words))

    with monkeypatch.context() as patch, pytest.raises(ParsedError) as done:
        patch.setattr(argparse.ArgumentParser, "parse_args", only)
        importlib.import_module(module).main()
    return vars(done.value.args[0])


def test_every_weight_has_a_command_that_trains_it_and_one_that_writes_it(monkeypatch):
    told = text(ROOT / "weights" / "README.md")
    lines = [line.removeprefix("python -m ") for line in re.findall(r"`(python -m backends\.train\.[^`]+)`", told)]
    for line in [*lines, *(e["recipe"] for e in ENTRIES.values() if e["recipe"])]:
        line = line.replace("--export", "--export weights") if line.endswith("--export") else line
        assert parsed(line, monkeypatch)
    rows = re.findall(r"^\| (`.+?`) \|(.+)$", told.split("## Train one again")[1].split("\n## ")[0], re.M)
    for name, entry in ENTRIES.items():
        mine = [row for first, row in rows if any(re.fullmatch(n.replace("*", ".+"), name)
                                                  for n in re.findall(r"`([\w*-]+)`", first))]
        assert len(mine) == ("file" in entry), name
        assert all((entry["recipe"].split()[0] in row and "--export" in row) or "the same" in row for row in mine), name


def test_the_flags_are_those_of_the_app(monkeypatch, capsys):
    told = text(ROOT / "deploy" / "README.md").split("## Flags")[1].split("\n## ")[0]
    with pytest.raises(SystemExit):
        app.arguments(["--help"])
    known = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert set(re.findall(r"--[a-z][a-z-]+", told)) == known
    assert set(re.findall(r"(?:GLASSBOX|GRADIO)_[A-Z_]+", told)) - {"GLASSBOX_HOME"} == set(
        re.findall(r'env\("((?:GLASSBOX|GRADIO)_[A-Z_]+)"\)', text(ROOT / "app.py")))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_what_a_document_points_at_is_there(document):
    told = text(document)
    files = [link for link in re.findall(r"\]\(([^)#]+)\)", told) if not link.startswith("http")]
    named = re.findall(r"`((?:ui|backends|assets|weights|tests|benchmarks|deploy)/[\w./-]+)`", told)
    assert [f for f in files if not (document.parent / f).exists()] == []
    assert [f for f in named if not (ROOT / f).exists()] == []
    ours = {name for name in RUN.findall(told) if name.partition(".")[0] in ("backends", "benchmarks", "tests")}
    assert [name for name in sorted(ours) if not importlib.util.find_spec(name)] == []


def test_the_table_of_faults_names_the_cases_that_there_are():
    """Its rows are those of the marks in the tests; the run that writes it leaves out what failed."""
    marked = {(*map(ast.literal_eval, mark.args), f"{path.relative_to(cases.FILE.parent).as_posix()}::{node.name}")
              for path in modules("tests") if "@pytest.mark.case(" in text(path)
              for node in tree.parsed(path).body if isinstance(node, ast.FunctionDef)
              for mark in node.decorator_list if ast.unparse(mark).startswith("pytest.mark.case(")}
    assert len(marked) >= 30 and cases.lines(sorted(marked)) in text(cases.FILE)
    assert len({name for name, *_ in marked}) == len(marked)
