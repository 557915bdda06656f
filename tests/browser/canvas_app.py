"""A small app around the click canvas with a fake segmenter: discs about the clicks, so that the tests know every
pixel."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

import app
from backends.segment import drawn
from ui.core.frame import Frame
from ui.parts.canvas import Wire
from ui.tabs.segment.canvas import Feed, SegCanvas

SIZES = {"wide": (300, 120), "tall": (120, 300), "square": (200, 200), "large": (1600, 1100)}
RADII = (0.08, 0.13, 0.2)
PROMPTS: list[dict] = []
SAID: list[dict] = []
HOVERS: list[dict] = []
EPOCH = itertools.count(1)


def runs(mask: np.ndarray) -> dict:
    """Row-major runs of a mask (H, W), the first run is background."""
    flat = mask.ravel()
    change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], change, [flat.size]])).tolist()
    return {"w": mask.shape[1], "h": mask.shape[0], "counts": ([0] + counts) if flat[0] else counts}


def disc_mask(width: int, height: int, steps: list[dict], radius: float) -> np.ndarray:
    """Union of include discs and boxes minus exclude discs, (height, width)."""
    y, x = np.mgrid[:height, :width]
    mask = np.zeros((height, width), bool)
    for step in steps:
        if step.get("stroke"):
            mask = drawn.stroked(mask, step["stroke"])
            continue
        if step.get("rings"):
            mask = drawn.filled(step["rings"], (height, width))
            continue
        if step.get("box"):
            x0, y0, x1, y1 = step["box"]
            mask[y0 : y1 + 1, x0 : x1 + 1] = True
            continue
        px, py, label = step["point"]
        disc = (x - px) ** 2 + (y - py) ** 2 <= (radius * max(width, height)) ** 2
        mask = mask | disc if label else mask & ~disc
    return mask


def answer(ask: dict) -> dict:
    """The reply to one prompt message."""
    width, height = SIZES[ask["image_id"]]
    results = []
    for index in ask["want"]:
        masks = [disc_mask(width, height, ask["objects"][index]["steps"], r) for r in RADII]
        areas = [int(m.sum()) for m in masks]
        rated = {"areas": areas, "scores": [0.7, 0.9, 0.8], "chosen": 1, "truth": None}
        results.append({"index": index, "masks": [runs(m) for m in masks], **rated})
    times = {"encoder": 12.0, "cached": ask["seq"] > 1, "click": 3.0 if results else None}
    return {"kind": "reply", "seq": ask["seq"], "epoch": ask["epoch"], "results": results, "times": times,
            "error": None}


def scene(name: str, folder: Path) -> dict:
    """A picture whose colour tells the place: red grows with x, green with y."""
    width, height = SIZES[name]
    y, x = np.mgrid[:height, :width]
    path = folder / f"{name}.png"
    Image.fromarray(np.stack([255 * x / width, 255 * y / height, 0 * x + 90], -1).astype(np.uint8)).save(path)
    return {"image": path, "image_id": name, "width": width, "height": height, "objects": [], "active": 0,
            "epoch": f"e{next(EPOCH)}", "hover": True}


def records(state: dict) -> dict:
    """Two nested regions and a separate one, as everything mode would send them."""
    width, height = SIZES[state["image_id"]]
    found = [([width // 4, height // 2], 0.2), ([width // 4, height // 2], 0.08), ([3 * width // 4, height // 2], 0.1)]
    out = []
    for point, radius in found:
        mask = disc_mask(width, height, [{"point": [*point, 1]}], radius)
        out.append({"mask": runs(mask), "area": int(mask.sum()), "iou": 0.9, "stability": 0.95, "point": point})
    batch = {"done": 3, "total": 3, "final": True, "first": 0, "records": out}
    return {"kind": "records", "image_id": state["image_id"], "epoch": state["epoch"], **batch}


def prompt(evt: gr.EventData) -> tuple[dict, dict]:
    ask = evt._data
    PROMPTS.append(ask)
    if any("boom" in o["name"] for o in ask["objects"]):
        return {"kind": "reply", "seq": ask["seq"], "epoch": ask["epoch"], "error": "The model <b>failed</b>."}, ask
    return answer(ask), ask


def hover(evt: gr.EventData) -> dict:
    """The mask of the middle radius that one more click would give."""
    ask = evt._data
    HOVERS.append(ask)
    steps = [*ask["steps"], {"point": ask["point"]}]
    mask = disc_mask(*SIZES[ask.get("image_id", "wide")], steps, RADII[1])
    return {"kind": "hover", "seq": ask["seq"], "epoch": ask["epoch"], "mask": runs(mask)}


def build() -> gr.Blocks:
    """Canvas, feeds, wire, and one button for everything mode."""
    folder = Path(tempfile.mkdtemp(prefix="canvas-"))
    thumb = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
    samples = [{"id": name, "title": name, "thumb": thumb} for name in SIZES]
    with gr.Blocks(title="canvas") as demo, gr.Column(elem_id="tab-segment"):
        last = gr.State({})
        canvas = SegCanvas(scene("wide", folder), samples=samples, elem_id="canvas")
        replies, ghosts, others, wire = Feed(), Feed(), Feed(), Wire("segment")
        uploaded = gr.Textbox(elem_id="uploaded", label="uploaded")
        find = gr.Button("Everything", elem_id="find")
        every = {"show_progress": "hidden", "trigger_mode": "multiple"}
        canvas.prompt(prompt, None, [replies, last], concurrency_limit=4, **every)
        canvas.hover(hover, None, ghosts, concurrency_limit=4, **every)
        wire.said(said(folder), None, [canvas, uploaded, others, wire], concurrency_limit=None, **every)
        find.click(records, last, others, show_progress="hidden")
    demo.frame, demo.tabs = Frame(), ()
    return demo


def serve() -> tuple[gr.Blocks, str]:
    """The app on a free port, and its address."""
    demo = build()
    return demo, app.launch(demo, app.arguments(["--port", "0"]), prevent_thread_lock=True, quiet=True)[1]


def said(folder: Path) -> Callable[[gr.EventData], tuple]:
    """The handler of what the canvas says."""

    def answered(evt: gr.EventData) -> tuple:
        message = evt._data
        shown, name, notice = gr.skip(), gr.skip(), gr.skip()
        if message["kind"] == "set":
            SAID.append(message["values"])
        elif message["kind"] == "outline":
            said = SAID[-1]
            size = SIZES[message["picture"]]
            mask = disc_mask(*size, said["objects"][said["active"]]["steps"], RADII[1])
            same = {name: message[name] for name in ("epoch", "key")}
            notice = {"kind": "outline", **same, "rings": drawn.outlined(mask)}
        elif message["kind"] == "sample":
            shown = scene(message["id"], folder)
        else:
            path = Path(message["path"])
            name = f"{path.name} {path.stat().st_size}"
            notice = {"kind": "notice", "text": "Uploads are only counted here.", "nonce": next(EPOCH)}
        return shown, name, notice, {"turn": message["turn"]}

    return answered
