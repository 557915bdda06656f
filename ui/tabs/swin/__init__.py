"""The Swin tab: a picture's tokens in shifted windows, step by step, and what a trained Swin looks at.

Stepping, hovering and lighting up partners are the browser's. A setting, a clicked token or an edited bias is worked
out on the server, on the queries, keys and values of the shipped Swin.
"""

from backends.swin import answer, own
from backends.swin.params import ARCHITECTURES, OF_MODELS, ON_TOKENS, SETTINGS_OF, SwinParams
from ui.core.tab import Source, Tab, views
from ui.tabs.swin import figures
from ui.tabs.swin.presets import PRESETS

GRID = (*ON_TOKENS, "merge")
LONGEST = 1024
"""Pixels of the longer side of a picture: no view looks closer."""
TITLES = {
    "network": "Network", "roll": "Roll and mask", "reach": "Reach", "leak": "Leak", "orders": "Conventions",
    "bias": "Position bias", "cosine": "Swin V2", "merge": "Patch merging", "cost": "Cost", "model": "A trained Swin",
    "rollout": "Rollout",
}
TAB = Tab(
    slug="swin",
    title="Swin",
    question="Why may two neighbours in a window not see each other?",
    params=SwinParams,
    run=answer,
    views=views(TITLES, figures, streamed=("cost",)),
    presets=PRESETS,
    tour="Mask off: the leak",
    sources=(
        Source("picture", "picture", "Open my picture", accept="image/*", most=LONGEST),
        Source("model", "reader", "Load my weights (.safetensors)", accept=".safetensors", name="weights",
               read=own.read, load=own.load, wanted=own.wanted, fetch=own.fetch, offer=own.offer),
    ),
    uses={
        **dict.fromkeys(("rows", "columns", "order", "shift"), GRID),
        **dict.fromkeys(("block", "head"), ON_TOKENS),
        **{name: SETTINGS_OF[name] for name in ("masked", "similarity", "bias", "moving", "scale", "gain")},
        **dict.fromkeys(("channels", "pixels"), ("cost",)),
        **dict.fromkeys(("model", "architecture", "reader"), OF_MODELS),
        "picture": (*GRID, *OF_MODELS),
        **dict.fromkeys(("y", "x"), (*GRID, "model", "rollout")), "step": ON_TOKENS, "edits": SETTINGS_OF["edits"],
        "map_block": OF_MODELS, "map_head": ("model",), "region": ("model",),
        "window": (*GRID, "cost"),
        "depth": ("reach", "cosine"),
        "seed": ("cosine",),
    },
    needs=dict.fromkeys(("architecture", "own-reader"), (("model", "own"),)),
    titles={
        "order": {"timm": "timm: roll, then pad", "torchvision": "torchvision: pad, then roll",
                  "microsoft": "Microsoft: no shift where the window covers a side"},
        "similarity": {"dot": "Dot product (Swin)", "cosine": "Cosine × 10 (Swin V2)"},
        "bias": {"trained": "Trained", "none": "None", "near": "Near (made up)", "rows": "Rows (made up)"},
        "model": {"shipped": "The shipped small Swin", "own": "My own weights"},
        "architecture": {name: name for name in ARCHITECTURES},
    },
    held=("picture", "y", "x", "step", "edits", "map_block", "map_head", "region"),
)
