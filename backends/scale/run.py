"""The views of the Scale tab.

Each view carries checks on its own input; what they compare is worked out twice by different code.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from backends import device
from backends.device import HOST
from backends.drawn import hosted, normal, seeded
from backends.result import Check, Work, check
from backends.scale import depth, entropy, saturate, toy, training, width
from backends.scale.params import ScaleParams
from backends.scale.results import Dial, Entropy, Rows, Truncated

QUERIES = 256                         # fewest rows of the dial
CELLS = 2**16                         # weights in the rows of one d, unless that makes fewer rows
BARS = 41
SAMPLES = 100_000                     # of the truncated normal


@device.kept(12)
def _raw(d: int, n: int, seed: int) -> Tensor:
    """q.k of entries N(0, 1), kept so that exponent and spread move at once; more rows where they are short, for
    steadier figures."""
    return saturate.logits(d, n, 0.0, 1.0, max(QUERIES, min(4 * QUERIES, CELLS // n)), seed)


def _at(d: int, n: int, seed: int, spread: float, exponent: float) -> Tensor:
    return _raw(d, n, seed) * spread**2 * d**-exponent


@device.kept(16)
def _sweep(n: int, seed: int, spread: float, exponent: float) -> tuple[Rows, ...]:
    """Rows at every d of the sweep, kept while d moves alone."""
    return tuple(saturate.rows(_at(d, n, seed, spread, exponent), d) for d in saturate.SWEEP)


def _dial(params: ScaleParams) -> Work:
    scores = _at(params.d, params.n, params.seed, params.spread, params.exponent)
    sigma = params.spread**2 * params.d ** (0.5 - params.exponent)
    reach = max(4 * sigma, 1e-3)
    counts = torch.histc(scores.clamp(-reach, reach), BARS, -reach, reach)
    row = scores[0].double().softmax(-1)
    sweeps = [_sweep(params.n, params.seed, params.spread, p) for p in (params.exponent, 0.5)]
    here: Rows = saturate.rows(scores, params.d)
    body = Dial(
        params.d, params.n, params.exponent, sigma, scores.std().item(),
        (scores.abs() <= 3 * sigma).double().mean().item(),
        tuple(torch.linspace(-reach, reach, BARS + 1, device=HOST).tolist()), tuple(int(c) for c in counts),
        tuple(row.sort(descending=True).values.tolist()), here, *sweeps)
    yield body, _words(here, params), _dial_checks(params, row)


def _words(here: Rows, params: ScaleParams) -> str:
    """What the dial shows, in one sentence."""
    return (f"Here the largest weight is {here.top:.3f} on average, the entropy {here.entropy:.2f} of "
            f"{math.log(params.n):.2f} nats, and "
            f"{100 * here.saturated:.1f} % of the rows are saturated (largest weight above 0.99).")


def _dial_checks(params: ScaleParams, row: Tensor) -> tuple[Check, ...]:
    """This row's Jacobian written out and by autograd; the rows of torch's own attention."""
    logits = row.clamp_min(1e-300).log().requires_grad_()
    wanted = torch.autograd.functional.jacobian(lambda x: x.softmax(-1), logits)
    gap = (saturate.jacobian_norm(row) - torch.linalg.matrix_norm(wanted)).abs().item()
    made = seeded(params.seed)
    q, k = (params.spread * normal(1, 1, size, params.d, random=made, dtype=torch.float64).to(row.device)
            for size in (4, params.n))
    ours = (q @ k.mT * params.d**-params.exponent).softmax(-1)
    theirs = F.scaled_dot_product_attention(q, k, torch.eye(params.n, dtype=q.dtype, device=q.device)[None, None],
                                            scale=params.d**-params.exponent)
    return (check("the Jacobian's norm", gap, 1e-6,
                  "difference between our formula and automatic differentiation, for the first row"),
            check("torch's attention agrees", (ours - theirs).abs().max(), 1e-9,
                  "largest difference between our rows and those of torch's own attention"))


def _training(params: ScaleParams) -> Work:
    body = None
    for body in training.training(params):
        yield body, "", None
    models = [toy.made(route, training.WIDTH, training.HEADS, params.seed) for route in ("sqrt", "t5", "none")]
    tokens, _ = toy.batch(8, seeded(params.seed))
    other = tokens.clone()
    other[:, -1] = (other[:, -1] + 1) % toy.SYMBOLS
    with torch.no_grad():
        first, second, third = (model(tokens) for model in models)
        later = (models[0](other) - first)[:, :-1].abs().max()
    yield body, "", (
        check("T5's route starts as the same function", (first - second).abs().max(), 1e-3,
              "largest difference of its outputs to those of 1/sqrt(d) before training"),
        check("no scale is another function", 0.01 - (first - third).abs().max(), 0.0,
              "0.01 minus the largest difference of its outputs to those of 1/sqrt(d): below 0 they differ by more "
              "than 0.01"),
        check("causal", later, 1e-5, "how much another last token changes the outputs before it"))


def _depth(params: ScaleParams) -> Work:
    moments, other = depth.forward(replace(params, ntk=not params.ntk))
    body = replace(depth.depth(params), other=other)
    gap = max(abs(a - b) / max(a, b) for a, b in zip(body.forward, moments, strict=True) if max(a, b) > 1e-30)
    random = seeded(params.seed)
    sample = normal(50_000, 1, random=random, dtype=torch.float64).to(device.exact())
    found = depth.ACTS[params.activation](sample).square().mean().item()
    said = "No gradient at all reaches the input: in float32 it has died out." if not any(body.backward[:1]) else ""
    yield body, said, (
        check("NTK parametrisation is the same function", gap, 0.01,
              "largest difference of a layer's second moment between both ways to write it, as a share"),
        check("the activation's second moment", abs(found / body.moment - 1), 0.05,
              "difference between 50 000 draws and the integral, as a share"))


def _entropy(params: ScaleParams) -> Work:
    body, of = None, entropy.chosen(params)
    for body in entropy.curves(params, of):
        yield body, "", None
    said = ("This model was trained on 256 bytes: what lies further back it has never seen."
            if params.source == "bytes" else "")
    yield body, said, _entropy_checks(body, of)


def _entropy_checks(body: Entropy, of: entropy.Products) -> tuple[Check, ...]:
    """The shown curves against torch's attention on the same q and k; the shown cosines with every q and k made longer
    or shorter."""
    rows, most = {curve.name: curve.entropy for curve in body.curves}, entropy.REFERENCE
    above = max(h - math.log(n) for row in rows.values() for h, n in zip(row, body.lengths, strict=True))
    q, k = (x.double() for x in of.last)
    apart = max(abs(rows["logn"][body.lengths.index(n)] - _attended(q, k[..., -n:, :], math.log(n, most) * of.d**-0.5))
                for n in (64, most))
    longer = entropy.products(q * torch.linspace(0.5, 3, len(q), device=q.device)[:, None],
                               k * torch.linspace(4, 0.25, most, device=q.device)[:, None])
    free = (entropy.scaled("cosine", longer, most) - entropy.scaled("cosine", of, most)).abs().max()
    return (check("no more than log n", above, 1e-9,
                  "how far the largest entropy lies above log n, that of equal weights"),
            check("log n is torch's attention", apart, 1e-4,
                  "largest difference of entropy to torch's own attention with that scale, at 64 and 512 keys"),
            check("cosine knows no lengths", free, 1e-3,
                  "how much these scores change at 512 keys when each q and k is made longer or shorter"))


def _attended(q: Tensor, k: Tensor, scale: float) -> float:
    """Mean entropy of torch's attention of queries (m, d) over keys (n, d) or (m, n, d)."""
    keys, unit = (x.expand(len(q), -1, -1) for x in (k, torch.eye(k.shape[-2], dtype=k.dtype, device=k.device)))
    weights = F.scaled_dot_product_attention(q[:, None], keys, unit, scale=scale)
    return torch.special.entr(weights).sum(-1).mean().item()


def _width(params: ScaleParams) -> Work:
    body = None
    for body in width.widths(params):
        yield body, "", None
    first, second = body.growths
    apart = max(abs(getattr(first, part)[0] - getattr(second, part)[0]) for part in ("hidden", "attention", "output"))
    yield body, "", (check("the same model at the base width", apart, 1e-4,
                           f"largest difference of the changes at width {width.BASE}"),)


@hosted
def _draws(seed: int) -> tuple[Tensor, ...]:
    """SAMPLES numbers, on the host: normal, cut, corrected, and as torch cuts."""
    made = seeded(seed)
    ours = [normal(SAMPLES, random=made), *(depth.cut((SAMPLES,), made, c) for c in (False, True))]
    return *ours, torch.nn.init.trunc_normal_(torch.empty(SAMPLES), std=0.02, generator=made) / 0.02


def _truncated(params: ScaleParams) -> Work:
    draws = _draws(params.seed)
    found = tuple(x.double().square().mean().item() for x in draws)
    counts = tuple(tuple(int(c) for c in torch.histc(x, 60, -3, 3)) for x in draws)
    tail = math.exp(-2) * 2 / math.sqrt(2 * math.pi)
    exact = 1 - 2 * tail / math.erf(2 / math.sqrt(2))
    body = Truncated(tuple(torch.linspace(-3, 3, 61, device=HOST).tolist()), counts, exact, exact**-0.5, found)
    yield body, "", (check("the variance that the cut leaves", abs(found[1] - exact), 0.015,
                           "difference between the variance of 100 000 draws and the formula"),
                     check("corrected back to 1", abs(found[2] - 1), 0.015,
                           "difference between the variance of 100 000 draws and 1"))


VIEWS: dict[str, Callable[[ScaleParams], Work]] = {
    "dial": _dial, "training": _training, "depth": _depth, "entropy": _entropy, "width": _width,
    "truncated": _truncated,
}
