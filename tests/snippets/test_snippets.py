"""The exported scripts run by themselves and print the numbers of the endpoint."""

import json
import math
import os
import subprocess
import sys

import pytest

from backends.plain import numbers
from tests.conftest import ROOT
from tests.snippets.runner import printed
from tests.ui.toy import TOYS
from ui import TABS, export

TAKEN = {tab.slug: {"default": tab.params(), "opening": tab.opening} | {p.name: p.params for p in tab.presets} for tab in (*TABS, *TOYS)}
CASES = [
    pytest.param(tab, params, id=f"{tab.slug}-{name}")
    for tab in (*TABS, *TOYS)
    for at, (name, params) in enumerate(TAKEN[tab.slug].items())
    if params not in list(TAKEN[tab.slug].values())[:at]
]


def same(ours, theirs, path="result"):
    """Equal JSON; numbers within 1e-5 relative and 1e-6 absolute, as threads may add up in another order; what a check measured, which
    often is that very rounding, within a hundredth of its bound."""
    if isinstance(ours, dict) and ours.keys() == {"name", "value", "bound", "ok", "text"}:
        rest = {key: (ours[key], theirs[key]) for key in ours if key != "value"}
        assert all(a == b for a, b in rest.values()), path
        assert math.isclose(ours["value"], theirs["value"], rel_tol=1e-5, abs_tol=max(1e-6, 0.01 * abs(ours["bound"]))), path
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


@pytest.mark.parametrize(("tab", "params"), CASES)
def test_the_exported_script_reproduces_the_numbers(tab, params, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    script = tmp_path / "script.py"
    script.write_text(export.script(tab, params), encoding="utf-8")
    same(numbers(list(tab.results(params))[-1]), json.loads(printed(script, tmp_path)))


@pytest.mark.parametrize("tab", [TABS[0], TOYS[0]], ids=lambda tab: tab.slug)
def test_a_script_runs_by_its_name_alone(tab, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(export.script(tab, tab.params()), encoding="utf-8")
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, str(script)], cwd=ROOT, env=env, capture_output=True, encoding="utf-8", timeout=240)
    assert done.returncode == 0, done.stderr
    same(numbers(list(tab.results(tab.params()))[-1]), json.loads(done.stdout))
