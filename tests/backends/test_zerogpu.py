"""ZeroGPU lends its card to a forked process: every tab answers there, and the page's own process never asks for it."""
import subprocess
import sys

from tests.backends.test_every_device import TABS
from tests.conftest import ROOT


def test_whatever_touches_the_device_runs_where_the_card_is():
    command = [sys.executable, "-m", "tests.zerogpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.stdout.split() == [*TABS, "segment"], done.stderr
