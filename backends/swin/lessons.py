"""What each view of the tokens adds to the board: reach, leak, the three conventions, bias, merging."""
from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import torch
import torchvision
from timm.models import swin_transformer
from torch import Tensor

from backends import device
from backends.drawn import hosted, normal, seeded
from backends.result import Check, check
from backends.swin import attend, merging, reach, small
from backends.swin.geometry import ORDERS, Layout, layout
from backends.swin.params import TOKEN, SwinParams
from backends.swin.results import Bias, Leak, Merge, Orders, Reach
from backends.swin.stage import Scene, board, leak
from backends.swin.tokens import tokens

OTHER = {"timm": "torchvision", "torchvision": "timm", "microsoft": "torchvision"}
"""The convention that stands beside each: for Microsoft's, one that differs by the rule alone."""
CHANNELS = small.WIDTHS[-1]     # of the tokens, in the last stage of the shipped Swin


def reached(scene: Scene) -> tuple[Reach, tuple[Check, ...]]:
    """After how many blocks the clicked token depends on each other one, with and without shift."""
    p, (row, column) = scene.params, scene.params.token
    plain = layout(p.size, p.window, 0, p.order)
    token = row * p.columns + column
    first, still = (reach.reach(token, plain, second, p.depth, p.masked) for second in (scene.layout, plain))
    counted = [reach.counts(each, p.depth) for each in (first, still)]
    spread = max(counted[1]) - min(counted[1])
    held = check("Without shift nothing leaves the window", spread, 0,
                 "tokens gained by any further block without shift")
    return Reach(p.depth, first, still, *counted), (held,)


def leaked(scene: Scene) -> tuple[Leak, tuple[Check, ...]]:
    """What the mask keeps apart."""
    one = scene.layout
    off, on = (leak(scene.softmax(masked), one) for masked in (False, True))
    strange = torch.from_numpy(one.strange).to(off.device).float().unsqueeze(1)
    uniform = attend.per_token(strange.mean(-1), one)[0]
    met = uniform > 0
    means = [float(each.mean(0)[met].mean()) if met.any() else 0.0 for each in (off, on)]
    heads = tuple(float(head[met].mean()) if met.any() else 0.0 for head in off)
    even = float(uniform[met].mean()) if met.any() else 0.0
    found = Leak(device.array(off.mean(0)), means[0], means[1], float(met.float().mean()), heads, even)
    text = "mean weight on strangers with the mask on, of tokens that have some in their window"
    return found, (check("The mask closes the leak", means[1], 1e-6, text),)


def libraries(scene: Scene) -> tuple[Orders, tuple[Check, ...]]:
    """The three conventions on the same tokens with the same weights, mask on; the chosen one beside `OTHER`."""
    p, outputs, leaks, padding = scene.params, {}, [], []
    scenes = {order: scene if order == p.order else replace(scene, params=replace(p, order=order)) for order in ORDERS}
    for order, one in scenes.items():
        weights = replace(one.weights, table=one.table, window=one.layout.window)
        outputs[order] = attend.attend(one.x, weights, one.layout)
        leaks.append(float(leak(one.p, one.layout).mean()))
        padding.append(float(attend.per_token(attend.share(one.p, attend.on_padding(one.layout)), one.layout).mean()))
    pairs = tuple((a, b, float((outputs[a] - outputs[b]).abs().max())) for a, b in combinations(ORDERS, 2))
    gap, other = (outputs[p.order] - outputs[OTHER[p.order]]).abs().amax(-1), scenes[OTHER[p.order]]
    found = Orders(device.array(gap), float(gap.max()), float(outputs["timm"].square().mean().sqrt()), tuple(leaks),
                   tuple(padding), pairs, board(other))
    if not _same(scene.layout, other.layout):
        return found, ()
    text = "largest difference; both cut the map alike, and nothing is padded or nothing is shifted"
    return found, (check("The conventions agree", found.largest, 1e-5, text),)


def _same(a: Layout, b: Layout) -> bool:
    """Whether two conventions must give the same outputs."""
    return (a.window, a.shift) == (b.window, b.shift) and (a.shift == (0, 0) or a.padded == a.size)


def biased(scene: Scene) -> tuple[Bias, tuple[Check, ...]]:
    """The bias tables as they are used, edits included."""
    (mh, mw), table = scene.layout.window, scene.table.clone()
    cells = {(dy + mh - 1) * (2 * mw - 1) + dx + mw - 1: value for (dy, dx), value in scene.edited.items()}
    for cell, value in cells.items():
        table[cell, scene.params.head - 1] = value
    used = scene.bias[scene.params.head - 1]
    theirs = hosted(swin_transformer.get_relative_position_index)(mh, mw).to(table.device)
    gap = float((used - table[theirs, scene.params.head - 1]).abs().max())
    found = Bias(scene.params.head - 1, device.array(table.T.reshape(-1, 2 * mh - 1, 2 * mw - 1)), tuple(scene.edited),
                 scene.params.bias)
    text = "largest difference of the N x N bias to the edited table, read by timm's own index"
    return found, (check("One cell, all pairs of its offset", gap, 0, text),)


def merged(params: SwinParams, image: np.ndarray) -> tuple[Merge, tuple[Check, ...]]:
    """The pyramid from the token grid, and the order of the four neighbours, read off tensors."""
    stages = merging.pyramid(params.size, params.window, params.shifted, CHANNELS, TOKEN, params.order)
    at = torch.tensor([[[0.0], [1.0]], [[2.0], [3.0]]], device=device.HOST)
    ours, theirs = merging.neighbours(at).flatten(), torch.pixel_unshuffle(at.permute(2, 0, 1), 2).flatten()
    read = [tuple(divmod(int(v), 2) for v in order) for order in (ours, theirs)]
    return Merge(stages, *read), (_merging(tokens(image, params.size, 1)),)


def _merging(x: Tensor) -> Check:
    """Our merging against the code of both libraries, on the picture's tokens (H, W, C) and weights drawn at random."""
    draw, channels = seeded(0), 4 * x.shape[-1]
    scale, offset, projection = (normal(*shape, random=draw).to(x.device)
                                 for shape in ((channels,), (channels,), (channels // 2, channels)))
    mine, gaps = merging.merge(x, scale, offset, projection), []
    for kind in (swin_transformer.PatchMerging, torchvision.models.swin_transformer.PatchMerging):
        theirs = hosted(kind)(x.shape[-1]).to(x.device)
        theirs.load_state_dict({"norm.weight": scale, "norm.bias": offset, "reduction.weight": projection})
        gaps.append(float((mine - theirs(x[None])[0]).abs().max() / mine.abs().max()))
    gap = max(gaps)
    text = ("largest difference to timm's and to torchvision's merging of these tokens, over the largest output; "
            "weights drawn at random")
    return check("Merging is that of the libraries", gap, 1e-5, text)
