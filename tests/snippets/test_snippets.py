"""The exported scripts run by themselves and print the numbers of the endpoint."""

import json
import math
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.ui.toy import TOYS
from ui import TABS, export

STATES = [("default", lambda tab: tab.params()), ("opening", lambda tab: tab.opening)]
CASES = [
    *(pytest.param(tab, make(tab), id=f"{tab.slug}-{name}") for tab in (*TABS, *TOYS) for name, make in STATES),
    *(pytest.param(tab, preset.params, id=f"{tab.slug}-{preset.name}") for tab in (*TABS, *TOYS) for preset in tab.presets),
]


def same(ours, theirs, path="result"):
    """Equal JSON; numbers within 1e-5 relative and 1e-6 absolute, as threads may add up in another order."""
    if isinstance(ours, dict):
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
def test_the_exported_script_reproduces_the_numbers(tab, params, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(export.script(tab, params), encoding="utf-8")
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, str(script)], cwd=ROOT, env=env, capture_output=True, encoding="utf-8", timeout=240)
    assert done.returncode == 0, done.stderr
    same(export.numbers(list(tab.results(params))[-1]), json.loads(done.stdout))
