"""Settings that keep every view of a tab quick, by the tab's slug."""

CODE = "def f(x):\n    return x\n"
SMALL = {
    "attention": {"source": "synthetic", "n": 24, "dim": 8, "kinds": ("softmax", "elu1")},
    "moe": {"text": CODE, "counted": "text", "count": 40, "alphas": ("0", "0.01"), "updates": 3, "steps": 25},
    "rope": {"samples": 1, "longest": 1, "methods": ("none", "yarn", "rerope_logn")},
    "memory": {"longest": 64, "samples": 32, "size": 8},
    "scale": {"steps": 10, "layers": 3, "n": 16, "d": 8},
    "swin": {"rows": 9, "columns": 8, "window": 4},
    "deformable": {"cells": 12, "samples": 10, "steps": 10},
}
