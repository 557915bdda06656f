"""The MoE tab: who routes what, on the user's text, on a plane, and while small models are trained."""

from backends import models
from backends.moe import answer
from backends.moe.params import KINDS, LENGTH, LIMITED, MAX_TEXT, PUBLIC, RACERS, ROUTERS, SHIPPED, MoeParams
from ui.core.tab import Source, Tab, views
from ui.tabs.moe import figures
from ui.tabs.moe.presets import PRESETS

READING = ("text", "own", "capacity", "precision")
RULED = ("text", "plane")
LIMITS = tuple(("router", name) for name in LIMITED)
FREE = tuple(("router", name) for name, router in ROUTERS.items() if not router.k)
ONE = (("touch", "disable"), ("touch", "force"))
TITLES = {
    "text": "Your text by expert", "own": "Your own model", "classes": "What experts learn",
    "capacity": "Capacity trade", "plane": "Router on a plane",
    "race": "Collapse race, live", "training": "Shipped trainings", "precision": "bfloat16 router",
    "calculator": "Calculator",
}


def mixtures() -> dict[str, str]:
    """What the picker of models says, by id: the shipped ones, and those of the shelf that may have experts."""
    return SHIPPED | {name: one.title for name, one in models.offered().items() if one.kind in ("", *KINDS)}


def offer(params: MoeParams) -> tuple[str, bool]:
    """What is known of the chosen model; there is nothing to fetch."""
    return models.offer(models.BYTES if params.mixture in SHIPPED else params.mixture)


TAB = Tab(
    slug="moe",
    title="MoE",
    question="Which expert does each token go to, and what does that cost?",
    params=MoeParams,
    run=answer,
    views=views(TITLES, figures, streamed=("own", "capacity", "race")),
    presets=PRESETS,
    tour="A sentence, routed",
    sources=(Source("shelf", "mixture", wanted=lambda params: params.view == "own", offer=offer,
                    fetch=lambda params: models.fetch(params.mixture)),
             Source("text", "text", "Text from a file", most=MAX_TEXT)),
    uses={
        **{"text": (*READING, "classes"), "model": ("text", "classes", "capacity"),
           "router": ("text", "capacity", "plane")},
        **{"k": ("text", "plane", "race", "precision"), "factor": ("text", "capacity", "plane"), "order": RULED},
        **{"scope": ("text", "capacity"), "counted": ("classes",)},
        **dict.fromkeys(("touch", "expert", "layer"), ("text",)),
        **dict.fromkeys(("mixture", "site", "change", "one"), ("own",)),
        **dict.fromkeys(("noise", "updates", "speed"), RULED),
        **dict.fromkeys(("count", "sharp", "prototypes"), ("plane",)),
        **dict.fromkeys(("steps", "alphas", "zeta"), ("race",)),
        **dict.fromkeys(("public", "batch", "context", "bandwidth"), ("calculator",)),
        "seed": ("text", "own", "classes", "capacity", "plane", "race", "precision"),
    },
    needs={
        "source": (*(("view", view) for view in READING), ("counted", "text")),
        "k": (*(("view", view) for view in ("plane", "race", "precision")), *FREE),
        "factor": (*LIMITS, ("view", "capacity")), "order": LIMITS,
        "scope": (*LIMITS, ("router", "choice"), ("view", "capacity")),
        **dict.fromkeys(("expert", "layer"), ONE),
        **dict.fromkeys(("updates", "speed"), (("router", "free"), ("view", "plane"))),
        "noise": (("router", "shazeer"),), "one": (("change", "disabled"), ("change", "forced")),
    },
    titles={
        "mixture": mixtures(), "change": {"none": "as it is", "disabled": "disabled", "forced": "forced"},
        "model": {"moe": "with balance and z-loss", "moe-free": "without auxiliary losses"},
        "router": {name: router.label for name, router in ROUTERS.items()},
        "order": {"text": "earlier tokens", "priority": "larger p (batch priority)"},
        "scope": {"text": "the whole text", "window": f"each window of {LENGTH} bytes"},
        "layer": {"both": "both", "2": "2", "4": "4"},
        "counted": {"modules": "held-out modules", "text": "the text"},
        "touch": {"leave": "leave all", "disable": "disable one", "force": "all through one"},
        "alphas": RACERS,
        "public": {name: name for name in PUBLIC},
    },
    held=("prototypes",),
    folded=("count", "sharp"),
)
