"""The exported scripts run by themselves and print the numbers of the endpoint."""

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from backends import smollm
from backends.plain import numbers
from tests.conftest import ROOT
from tests.small import SMALL
from tests.snippets.runner import printed

SHIPPED = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text("utf-8"), re.M)

def tabs():
    """Every tab by its slug; imported when a test runs, as the page is heavy."""
    from ui import TABS

    return {tab.slug: tab for tab in TABS}


def settings(tab):
    """(name, parameters) of the defaults, of what a visitor sees first and of every preset."""
    return [("default", tab.params()), ("opening", tab.opening), *((p.name, p.params) for p in tab.presets)]


def run(tab):
    """The same of the scripts that are run: what a visitor sees first, and every view with settings that keep it quick;
    where a tab has no views, all of them."""
    if tab.slug not in SMALL:
        return settings(tab)
    quick = [(view, replace(tab.params(), **{tab.chooser: view}, **SMALL[tab.slug])) for view in tab.views]
    return [("opening", tab.opening), *quick]


def same(ours, theirs, path="result"):
    """Equal JSON; numbers within 1e-5 relative and 1e-6 absolute, as threads may add up in another order; what a check
    measured, which often is that very rounding, within a hundredth of its bound."""
    if isinstance(ours, dict) and ours.keys() == {"name", "value", "bound", "ok", "text"}:
        rest = {key: (ours[key], theirs[key]) for key in ours if key != "value"}
        assert all(a == b for a, b in rest.values()), path
        assert math.isclose(ours["value"], theirs["value"], rel_tol=1e-5,
                            abs_tol=max(1e-6, 0.01 * abs(ours["bound"]))), path
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), path
        for key in ours:
            same(ours[key], theirs[key], f"{path}.{key}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), path
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            same(a, b, f"{path}[{index}]")
    elif isinstance(ours, float):
        assert math.isclose(ours, theirs, rel_tol=1e-5, abs_tol=1e-6), (path, ours, theirs)
    else:
        assert ours == theirs, path


def test_every_tab_has_its_scripts_run():
    assert list(tabs()) == SHIPPED


@pytest.mark.parametrize("slug", SHIPPED)
def test_the_exported_scripts_reproduce_the_numbers(slug, answers, tmp_path, monkeypatch):
    from ui.core import export

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tab, wrong = tabs()[slug], []
    for name, params in run(tab):
        script = tmp_path / "script.py"
        script.write_text(export.script(tab, params), encoding="utf-8")
        try:
            same(numbers(answers(tab.run, params)), json.loads(printed(script, tmp_path)))
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("slug", SMALL)
def test_the_script_of_every_preset_holds_its_settings(slug):
    """With the runs of every view this is what a script needs: the same settings, given to what was run there."""
    from ui.core import export

    for name, params in settings(tabs()[slug]):
        head, _, last = export.script(tabs()[slug], params).partition("\nresult = ")
        held = {}
        exec(head, held)
        assert held["params"] == params and last.startswith("answer(params)\n"), name


def test_a_script_reads_a_real_model(smollm_home, tmp_path):
    from ui.core import export

    script, tab = tmp_path / "script.py", tabs()["rope"]
    params = tab.params(view="live", model=smollm.ID, methods=("none", "yarn"), tokens=256)
    script.write_text(export.script(tab, params), encoding="utf-8")
    ours, theirs = numbers(tab.run(params)), json.loads(printed(script, tmp_path))
    assert [t["method"] for t in theirs["body"]["tracks"]] == ["none", "yarn"]
    same(ours["body"], theirs["body"])


@pytest.mark.parametrize("slug", [SHIPPED[0], SHIPPED[-1]])
def test_a_script_runs_by_its_name_alone_from_any_folder(slug, answers, tmp_path):
    from ui.core import export

    tab, script = tabs()[slug], tmp_path / "script.py"
    script.write_text(export.script(tab, tab.params()), encoding="utf-8")
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=env, capture_output=True,
                          encoding="utf-8", timeout=240)
    assert done.returncode == 0, done.stderr
    same(numbers(answers(tab.run, tab.params())), json.loads(done.stdout))
