"""The Memory tab: what HiPPO, S4 and Mamba remember of a signal, of a string, and as one matrix."""

from backends.memory import answer
from backends.memory.params import KINDS, MAX_TEXT, MEMORIES, POLES, RULES, SIGNALS, MemoryParams
from ui.core.tab import Source, Tab, views
from ui.tabs.memory import figures
from ui.tabs.memory.files import read_signal
from ui.tabs.memory.presets import PRESETS

WRITTEN = ("scope", "poles", "layer")
TITLES = {
    "scope": "One signal, five memories", "layer": "One layer, three ways", "nplr": "S4's trick",
    "poles": "Eigenvalues",
    "selective": "Selective copying", "lengths": "Longer strings", "family": "The family as a matrix",
}
TAB = Tab(
    slug="memory",
    title="Memory",
    question="What do HiPPO, S4 and Mamba remember?",
    params=MemoryParams,
    run=answer,
    views=views(TITLES, figures, streamed=("layer", "lengths")),
    presets=PRESETS,
    tour="S4 fades, LegS does not",
    sources=(Source("text", "text", "WAV or CSV file", most=MAX_TEXT, read=read_signal),),
    uses={
        **dict.fromkeys(("signal", "text", "memories", "rule", "length", "head", "window"), ("scope",)),
        "size": WRITTEN, "longest": ("layer",),
        **dict.fromkeys(("start", "dt", "inner", "outer", "poles"), ("layer", "poles")),
        "string": ("selective",), "layer": ("selective",), "channel": ("selective", "family"), "samples": ("lengths",),
        "kind": ("family",), "tokens": ("family",), "seed": ("scope", "layer", "nplr", "poles", "lengths", "family"),
    },
    needs={
        **dict.fromkeys(("inner", "outer"), (("start", "lru"),)),
        "dt": tuple(("start", name) for name in POLES if name != "lru"),
    },
    titles={"signal": SIGNALS, "memories": MEMORIES, "rule": RULES, "start": POLES, "kind": KINDS},
)
