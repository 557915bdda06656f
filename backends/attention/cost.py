"""What another kind of attention costs a model that was trained with softmax: it reads the text with the kind in the
place of softmax, in one layer or in all.  Nothing is trained again.

q, k, v of the layer go to the kind as the model has them; a row that cannot be divided gives zeros.  Letters: h heads,
n tokens, V tokens that the model knows.
"""
from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor
from torch.nn import functional as F

from backends import stop
from backends.attention import readers
from backends.attention.compare import output
from backends.attention.exact import Own
from backends.attention.inputs import Tensors
from backends.attention.params import KINDS, AttentionParams
from backends.attention.readers import Reader
from backends.attention.results import Cost, Price
from backends.lm.pretrained import Heads, Way, attended
from backends.result import Check, Work, check

OWN = "The model as it is"


def view(params: AttentionParams, tensors: Tensors | None = None) -> Work:
    """One more kind with each step; those that cannot be causal are left out.  `tensors` are not used: they are of no
    model."""
    model = readers.reader(params)
    tokens, _, notice = model.read(params.text)
    if len(tokens) < 2:
        raise ValueError("At least two tokens are needed to measure a loss.")
    layer = params.layer if params.scope == "layer" else 0
    if layer > model.layers:
        raise ValueError(f"This model has {model.layers} layers; please choose one of them.")
    kinds = [name for name in params.kinds if KINDS[name].causal]
    if not kinds:
        raise ValueError("None of the chosen kinds can be causal.")
    notice, params = _said(params, model, notice), replace(params, causal=True)
    own, known = _read(model, tokens, "own", attended)
    body = Cost(model.title, model.unit, len(tokens), layer, own, math.log(known))
    yield body, notice, None
    back = _read(model, tokens, "softmax", replaced("softmax", layer, params))[0]
    for name in kinds:
        price = back if name == "softmax" else _read(model, tokens, name, replaced(name, layer, params))[0]
        body = replace(body, prices=(*body.prices, price))
        yield body, notice, _checks(model, own, back) if name == kinds[-1] else None


def replaced(kind: str, layer: int, params: AttentionParams) -> Way:
    """Attention of a model with `kind` in layer `layer` (from 1), or in all for 0."""
    def way(heads: Heads) -> Tensor:
        stop.check()
        if layer and heads.layer != layer - 1:
            return attended(heads)
        one = readers.plain(heads)
        y = output(kind, *readers.folded(one), params, Own(one.window, one.softcap, one.sinks))
        return y.float().nan_to_num(0.0, 0.0, 0.0)[None].to(heads.v)
    return way


def _read(model: Reader, tokens: Tensor, kind: str, way: Way) -> tuple[Price, int]:
    """(what a kind makes of the text, V)."""
    logits = model.logits(tokens, way).float()[:-1]
    truth = tokens[1:].to(logits.device)
    loss, right = F.cross_entropy(logits, truth).item(), (logits.argmax(-1) == truth).float().mean().item()
    return Price(kind, KINDS[kind].label if kind in KINDS else OWN, loss, right), logits.shape[-1]


def _checks(model: Reader, own: Price, back: Price) -> tuple[Check, ...]:
    bound = 1e-4 if model.exactly else 0.05                 # bfloat16 has three digits
    return (check("softmax in its own place", abs(own.loss - back.loss), bound,
                  "the difference of the loss when the softmax of this page stands in for the model's"),)


def _said(params: AttentionParams, model: Reader, notice: str) -> str:
    gone = [KINDS[name].label for name in params.kinds if not KINDS[name].causal]
    said = [f"{model.title} reads the text; nothing is trained again.", notice]
    said += [f"Left out, since they see the future: {', '.join(gone)}."] if gone else []
    return " ".join(filter(None, said))
