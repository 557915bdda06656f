"""The Deformable tab: where deformable operators read, what a trained one has learned to look at, and offsets that
learn."""

from backends.deform import answer, own
from backends.deform.params import (
    BENDS,
    GIVEN,
    KERNELS,
    LEARNERS,
    ON_TAPS,
    OPERATORS,
    ORDERS,
    PATTERNS,
    SOURCES,
    STARTS,
    UNITS,
    DeformParams,
)
from ui.core.tab import Source, Tab, views
from ui.tabs.deformable import figures
from ui.tabs.deformable.presets import PRESETS

DCN = tuple(("operator", name) for name in ON_TAPS)
KEYS = (("operator", "dat"), ("operator", "dat2"))
RANDOM = (("operator", "msda"), *KEYS)
TITLES = {"taps": "One output", "own": "My offsets", "photo": "Learned on photographs",
          "stack": "Three layers, trained", "twins": "Against its twin",
          "fit": "Offsets that learn", "conventions": "Conventions"}
DECLARED = ("order", "unit", "frame")
ON_ONE = ("operator", "cells", "offsets", "raw", "kernel", "dilation", "pattern", "shear", "scale",
          "box", "noise", "factor", "stride")
"""Settings of one output alone."""
TAB = Tab(
    slug="deformable",
    title="Deformable",
    question="Where do deformable operators really look?",
    params=DeformParams,
    run=answer,
    views=views(TITLES, figures, streamed=("twins", "fit")),
    presets=PRESETS,
    tour="The star",
    sources=(Source("picture", "picture", "Open my picture", accept="image/*"),
             Source("model", "mine", "Load my offsets (.safetensors)", accept=".safetensors", name="offsets",
                    read=own.read, load=own.load, wanted=own.wanted)),
    uses={
        **dict.fromkeys(("picture", "at"), ("taps", "own", "photo", "stack")),
        **dict.fromkeys((*DECLARED, "given", "mine"), ("own",)),
        **dict.fromkeys(ON_ONE, ("taps",)),
        **dict.fromkeys(("turn", "grow"), ("taps", "fit")), **dict.fromkeys(("head", "tap"), ("taps", "own")),
        **dict.fromkeys(("source", "bend", "layers"), ("stack",)),
        **dict.fromkeys(("start", "steps"), ("fit",)),
        "samples": ("twins",), "learner": ("photo",),
        "seed": ("taps", "stack", "twins", "fit"),
    },
    needs={
        **dict.fromkeys(("offsets", "dilation", "pattern", "shear"), DCN),
        **dict.fromkeys(("turn", "grow"), (("view", "fit"), *DCN)),
        "head": ((("view", "taps"), RANDOM[0]), (("view", "own"), ("given", "!shipped"))), "box": RANDOM[:1],
        "factor": KEYS[:1], "stride": KEYS, "raw": DCN[1:], "kernel": DCN[:2], "scale": DCN[2:], "noise": RANDOM,
        **dict.fromkeys((*DECLARED, "own-mine"), (("given", "!shipped"),)),
        "pictures": (("view", "taps"), ("view", "own"), ("view", "photo"), ("source", "picture")),
        "bend": (("source", "bent"),),
        "seed": (("view", "stack"), ("view", "twins"), ("view", "fit"), *RANDOM),
    },
    titles={"operator": OPERATORS, "kernel": KERNELS, "pattern": PATTERNS, "source": SOURCES, "bend": BENDS,
            "start": STARTS, "given": GIVEN, "learner": LEARNERS, "order": ORDERS, "unit": UNITS},
    held=("picture", "tap"),
    folded=("at", "offsets", "raw"),
)
