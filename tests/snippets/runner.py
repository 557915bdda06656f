"""Runs a script in a process of its own that comes with large libraries imported: forked from a server that has done
nothing else."""

import contextlib
import multiprocessing
import os
import runpy

from tests.conftest import ROOT

HEAVY = ["torch", "torchvision", "timm", "segment_anything", "scipy.signal", "pytest", "hypothesis"]


def execute(script, out, environment):
    """Run a file as ``__main__`` in the checkout and this environment; what it prints goes to the file ``out``."""
    os.environ.update(environment)
    os.chdir(ROOT)
    with open(out, "w", encoding="utf-8") as printed, contextlib.redirect_stdout(printed):
        runpy.run_path(str(script), run_name="__main__")


def printed(script, folder, seconds=240):
    """What the script prints. AssertionError unless it ends well within ``seconds``."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(HEAVY)
    out = folder / "printed.txt"
    child = server.Process(target=execute, args=(script, out, dict(os.environ)))
    child.start()
    child.join(seconds)
    if child.exitcode is None:
        child.kill()
    assert child.exitcode == 0, f"{script} ended with {child.exitcode}"
    return out.read_text("utf-8")
