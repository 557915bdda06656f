"""Attention of the page's windows on the picture's tokens, and the board that shows it.

`Scene` holds what every view of the tokens needs: the tokens, the weights, the layout as the settings ask, and softmax
with or without the mask for all heads.  Letters: nW windows of N places, h heads.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.swin_transformer import shifted_window_attention

from backends import device
from backends.result import Check, check
from backends.swin import attend, relative, tokens
from backends.swin.attend import Projections
from backends.swin.geometry import PAD, Layout, Pair, layout
from backends.swin.params import STEPS, SwinParams
from backends.swin.results import Board

ROUNDING = 1e-4                # of float32 outputs of size one against the library's own code


@device.kept(64)
def trained_table(block: int, window: Pair) -> Tensor:
    """The bias table ((2M-1)^2, h) of a block of the shipped Swin, interpolated to a window."""
    weights = attend.projections(tokens.block_of(block).attn)
    return relative.resized(weights.table, weights.window, window).contiguous()


@device.kept(16)
def library_block(block: int, layout: Layout) -> nn.Module:
    """timm's own block for a layout, kept: the live check's reference."""
    return tokens.library_block(block, layout)


@dataclass(frozen=True)
class Scene:
    """The settings on one picture."""

    params: SwinParams
    image: np.ndarray

    @cached_property
    def layout(self) -> Layout:
        """As the settings ask, fitted to the map."""
        return layout(self.params.size, self.params.window, self.params.shifted, self.params.order)

    @cached_property
    def x(self) -> Tensor:
        """Tokens (rows, columns, C)."""
        return tokens.tokens(self.image, self.params.size, self.params.block)

    @cached_property
    def weights(self) -> Projections:
        """Of the chosen block of the shipped Swin."""
        return attend.projections(tokens.block_of(self.params.block).attn)

    @cached_property
    def table(self) -> Tensor:
        """The bias table ((2M-1)^2, h) as the settings ask, before edits."""
        window, heads = self.layout.window, self.weights.heads
        if self.params.bias == "trained":
            return trained_table(self.params.block, window)
        made = {"near": relative.near, "rows": relative.stripes}.get(self.params.bias)
        return (made(window, heads).to(self.x.device) if made
                else self.x.new_zeros((2 * window[0] - 1) * (2 * window[1] - 1), heads))

    @cached_property
    def edited(self) -> dict[tuple[int, int], float]:
        """Edited cells that the present window has: (dy, dx) -> value, of the drawn head."""
        (mh, mw), cells = self.layout.window, self.params.edits
        return {(dy, dx): value for dy, dx, value in cells if abs(dy) < mh and abs(dx) < mw}

    @cached_property
    def bias(self) -> Tensor:
        """The bias (h, N, N), edits included."""
        table, (mh, mw) = self.table.clone(), self.layout.window
        for (dy, dx), value in self.edited.items():
            table[(dy + mh - 1) * (2 * mw - 1) + dx + mw - 1, self.params.head - 1] = value
        return relative.bias(table, self.layout.window)

    def softmax(self, masked: bool, where: Layout | None = None, similarity: str | None = None) -> Tensor:
        """Weights (nW, h, N, N) of all heads; `where` another layout than the scene's, with the same window."""
        where = where or self.layout
        q, k, _ = attend.split(attend.gathered(self.x, where), self.weights)
        return attend.soften(attend.scores(q, k, similarity or self.params.similarity), self.bias, where, masked)

    @cached_property
    def p(self) -> Tensor:
        """Weights (nW, h, N, N) as the settings ask."""
        return self.softmax(self.params.masked)


def steps(where: Layout) -> tuple[str, ...]:
    """What happens to the map, in order; padding only where there is some."""
    order = ["picture", "roll", "pad"] if where.order == "timm" else ["picture", "pad", "roll"]
    skip = {"pad"} if where.padded == where.size else set()
    return tuple(step for step in (*order, *STEPS[3:]) if step not in skip)


def leak(p: Tensor, where: Layout) -> Tensor:
    """The weight that each token gives to strangers: (nW, h, N, N) -> (h, H, W)."""
    return attend.per_token(attend.share(p, torch.from_numpy(where.strange)), where)


def board(scene: Scene) -> Board:
    """The stage of the scene."""
    one, (row, column) = scene.layout, scene.params.token
    window, place = one.places[row * one.size[1] + column]
    blocked = one.blocked if scene.params.masked else np.zeros_like(one.blocked)
    real = (one.windows != PAD)[:, :, None] & (one.windows != PAD)[:, None, :]
    drawn = scene.p[:, scene.params.head - 1]
    here, mine = one.windows[window], device.array(drawn[window, place])
    spread = np.zeros(one.size[0] * one.size[1], np.float32)
    spread[here[here != PAD]] = mine[here != PAD]
    return Board(
        layout=one, steps=steps(one), token=(row, column), window=int(window), place=int(place),
        partners=tuple(int(t) for t in here[(here != PAD) & ~blocked[window, place]]),
        blocked=float(blocked.mean()), strangers=int(one.strange.sum()), through=int((one.strange & ~blocked).sum()),
        lost=int((blocked & real & ~one.strange).sum()), leak=leak(scene.p, one).mean().item(),
        row=spread.reshape(one.size), padding=float(mine[here == PAD].sum()), weights=device.array(drawn))


def checks(scene: Scene, shown: Board) -> tuple[Check, ...]:
    """What must hold on these tokens."""
    sums = (scene.p.sum(-1) - 1).abs().max().item()
    wrong = shown.through + shown.lost
    found = [check("Rows sum to 1", sums, 1e-5, "largest |sum - 1| of any row of any head")]
    if scene.params.masked:
        text = ("pairs that the mask gets wrong, told from where they lie in the picture: strangers let through, "
                "neighbours blocked")
        if wrong and scene.layout.order == "timm":
            text += ". timm rolls before it pads, so where M does not divide the map its cuts lie beside the seam"
        found.append(check("The mask separates what the roll brought together", wrong, 0, text))
    plain = scene.params.bias == "trained" and not scene.edited and scene.params.similarity == "dot"
    return (*found, _parity(scene)) if plain and scene.params.masked else tuple(found)


def _parity(scene: Scene) -> Check:
    """Our gather and scatter against the library's own code, on these very tokens.  Microsoft's is in no package: its
    window and shift are handed to torchvision's function, which pads and rolls as it does."""
    one, w = scene.layout, scene.weights
    mine = attend.attend(scene.x, replace(w, table=scene.table, window=one.window), one)
    if one.order == "timm":
        theirs = library_block(scene.params.block, one)._attn(scene.x[None])[0]
    else:
        biases = {"qkv_bias": w.qkv_bias, "proj_bias": w.out_bias}
        arguments = scene.bias[None], list(one.window), w.heads, list(one.shift)
        theirs = shifted_window_attention(scene.x[None], w.qkv, w.out, *arguments, **biases)[0]
    gap = (mine - theirs).abs().max().item()
    library, given = ("torchvision", ", given Microsoft's window and shift") if one.order == "microsoft" else (
        one.order, "")
    text = f"largest difference of any output to {library}'s own attention on these tokens{given}"
    return check(f"Equal to {library}", gap, ROUNDING, text)
