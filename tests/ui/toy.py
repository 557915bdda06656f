"""Two toy tabs that use every part of the frame, and a server of them: ``python -m tests.ui.toy --port 7861``."""

from dataclasses import replace

import numpy as np

from tests.ui.toy_backend import WaveParams, WaveResult, grow, run
from ui.figures import scenes, theme
from ui.tab import Preset, Tab, Table, View


def wave(result: WaveResult) -> object:
    """One period of the sum."""
    figure = theme.figure(x="phase", y="amplitude")
    figure.add_scatter(x=result.x, y=result.y, name="sum")
    return figure


def facts(result: WaveResult) -> Table:
    """The note and the energy."""
    return Table(("note", "energy"), ((result.note, result.energy),))


def outer(result: WaveResult) -> dict:
    """Every sample times every other."""
    return scenes.matrix(np.outer(result.y, result.y), "sample", "sample", signed=True)


def products(result: WaveResult) -> Table:
    """The same products as rows."""
    return Table(tuple(map(str, range(64))), tuple(map(tuple, np.outer(result.y, result.y).tolist())))


TEXT = '<img src=x onerror="window.hacked=1"> ${window.hacked=1} {{note}} "quoted" \'single\' 你好\nsecond line'
SILENT = Preset("Silence", WaveParams(terms=0), "no harmonics, almost no energy", lambda r: r.energy < 1e-5)
BUSY = Preset("Undamped", WaveParams(terms=12, damping=0.0), "the energy is above five", lambda r: r.energy > 5)
HOSTILE = Preset("Hostile text", WaveParams(note=TEXT), "the text is shown as text", lambda r: r.note == TEXT)
MAP = View("Products", outer, kind="scene", table=products)
FIGURES = (View("Wave", wave, alt="Amplitude over one period."), View("Facts", facts, kind="table"), MAP)
TOY = Tab("toy", "Toy", "What does damping do to a sum of waves?", WaveParams, run, FIGURES, (SILENT, BUSY, HOSTILE))
GROWING = replace(TOY, slug="growing", title="Growing", run=grow, presets=(SILENT,), first=WaveParams(terms=5))
TOYS = (TOY, GROWING)


if __name__ == "__main__":
    import app

    arguments = app.arguments()
    from ui.shell import build

    app.launch(build(TOYS), arguments)
