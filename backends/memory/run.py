"""The views of the Memory tab.

Each view carries checks on its own input; what they compare is worked out twice by different code.  What torch works
out is worked out on the device of the process; HiPPO's small systems, the poles and the family's loops are numpy's and
scipy's, so on the host.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from scipy.signal import cont2discrete

from backends import device, stop
from backends.drawn import normal, seeded
from backends.lm import shelf
from backends.memory import family, hippo, nplr, poles, s4d, selective, signals
from backends.memory.params import LETTERS, MEMORIES, MOST, RULES, MemoryParams
from backends.memory.results import Conditions, Course, Layer, Plane, Recall, Scope
from backends.result import Check, Work, check

DRAWN = 1000                          # most samples of a signal that are drawn
BINS = 40                             # of the ages
SIZES = (2, 4, 8, 12, 16, 24, 32, 48, 64)
TAPS = 256                            # of the kernels that both diagonalisations give
REPEATS = 3
SMALL = 32                            # numbers of the LegT that is held against scipy


def _recall(name: str, values: np.ndarray, seen: np.ndarray, at: np.ndarray, shared: int) -> Recall:
    """One memory's `values` of the samples `seen`; `shared`: the newest ones that every memory keeps."""
    gap, kept = (values - seen) ** 2, ~np.isnan(values)
    scale = np.sqrt(np.mean(seen**2)) or 1.0
    ages = len(seen) - np.arange(len(seen))
    edges = np.linspace(0, len(seen), min(BINS, len(seen)) + 1)
    rows = [(float(ages[part].mean()), float(np.sqrt(gap[part].mean()) / scale)) for part in (
        (ages > low) & (ages <= high) & kept for low, high in pairwise(edges)) if part.any()]
    known = np.full(len(at), np.nan)
    known[at < len(seen)] = values[at[at < len(seen)]]
    total, newest = (float(np.sqrt(part.mean()) / scale) for part in (gap[kept], gap[len(gap) - shared :]))
    return Recall(name, MEMORIES[name], tuple(known.tolist()), *(tuple(c) for c in zip(*rows)), total, int(kept.sum()),
                  newest)


def _scope(params: MemoryParams) -> Work:
    signal, cut = signals.source(params)
    seen = signal[: max(1, round(params.head * len(signal)))]
    if not np.any(seen):
        raise ValueError("The signal is silent up to the play head: move it to the right.")
    at = np.unique(np.linspace(0, len(signal) - 1, min(DRAWN, len(signal))).round().astype(int))
    found = {name: hippo.recall(name, seen, params.size, params.window, params.rule, params.seed)
             for name in MEMORIES if name in params.memories}
    left = {name: one for name, one in found.items() if one is not None}
    shared = min((int((~np.isnan(one)).sum()) for one in left.values()), default=0)
    gone = [MEMORIES[name].split(":")[0] for name, one in found.items() if one is None]
    rule = RULES[params.rule][0].upper() + RULES[params.rule][1:]
    said = [f"{rule} diverges for {' and '.join(gone)}: the steps are too large."] if gone else []
    if params.text.strip():
        said.append("This is your own signal; empty its field for the chosen one.")
        said += [cut.replace("They were", "Its samples were")] if cut else []
    if params.size % 2 == 0 and "fourier" in params.memories:
        said.append(f"The Fourier window uses {params.size - 1} of the {params.size} numbers: waves come in pairs "
                    "around the constant.")
    name = "your own" if params.text.strip() else params.signal
    body = Scope(name, len(signal), len(seen), params.size, params.window, RULES[params.rule], tuple(at.tolist()),
                 tuple(signal[at].tolist()), tuple(_recall(name, one, seen, at, shared) for name, one in left.items()),
                 shared)
    yield body, " ".join(said), _remembered(params, seen)


def _remembered(params: MemoryParams, seen: np.ndarray) -> tuple[Check, ...]:
    """What must hold on this signal: of LegS's state only where its steps are exact."""
    n, exact = params.size, ()
    if params.rule == "zoh":
        state = hippo.projected(seen, n)
        doubled = np.abs(hippo.projected(np.repeat(seen, 2), n) - state).max()
        exact = (check("speed does not matter to LegS", doubled, 1e-9,
                       "largest change of its state at half the signal's speed"),
                 check("its first number is the mean", abs(state[0] - seen.mean()), 1e-9,
                       "distance from the mean of all samples so far"))
    return (*exact,
            check("the steps are scipy's", _unlike_scipy(params), 1e-9,
                  f"relative difference to cont2discrete: LegT of {min(n, SMALL)} numbers, {RULES[params.rule]}"),
            check("A + v v^T / 2 + I / 2 is skew", nplr.skewness(n), 1e-10, "largest entry of its symmetric part"))


def _unlike_scipy(params: MemoryParams) -> float:
    """Largest difference of one step of LegT from scipy's, over scipy's largest entry."""
    a, b = hippo.legt(min(params.size, SMALL), params.window)
    name = {"forward": "euler", "backward": "backward_diff"}.get(params.rule, params.rule)
    theirs = cont2discrete((a, b[:, None], np.eye(len(a)), np.zeros((len(a), 1))), 1.0, name)
    ours = hippo.discretised(a, b, params.rule)
    return max(float(np.abs(x - y).max() / np.abs(y).max())
               for x, y in zip(ours, (theirs[0], theirs[1][:, 0]), strict=True))


def _layer(params: MemoryParams) -> Work:
    at = device.exact()
    exact = s4d.read_out(*map(torch.from_numpy, poles.placed(params)), params.seed).to(at)
    short = s4d.rounded(exact)
    plan = tuple(n for n in (64, 128, 256, 512, 1024, 2048, 4096) if n < params.longest) + (params.longest,)
    noise = normal(params.longest, random=seeded(params.seed), dtype=torch.float64).to(at)
    courses, largest, apart = {name: Course(name, label) for name, (label, _) in s4d.WAYS.items()}, 0.0, 0.0
    for n in plan:
        truth = s4d.recurrence(exact, noise[:n])
        largest, ran = truth.abs().max().item(), []
        for name, (_, way) in s4d.WAYS.items():
            y, seconds = _timed(way, short, noise[:n].float())
            ran.append(y)
            one = courses[name]
            gap = (y.double() - truth).abs().max().item()
            courses[name] = Course(name, one.label, (*one.lengths, n), (*one.gaps, gap), (*one.seconds, seconds))
        apart = max((a - b).abs().max().item() for a in ran for b in ran)
        yield Layer(params.start, params.size, plan, largest, tuple(courses.values())), "", None
    both = (s4d.convolution(exact, noise) - truth).abs().max().item()
    yield Layer(params.start, params.size, plan, largest, tuple(courses.values())), "", (
        check("three ways, one layer", apart, 1e-4 * max(1.0, largest),
              f"largest difference of float32 outputs at {plan[-1]} samples"),
        check("exactly so in float64", both, 1e-10 * max(1.0, largest), "FFT convolution against the recurrence"))


def _timed(way: Callable[..., torch.Tensor], one: s4d.Diagonal, signal: torch.Tensor) -> tuple[torch.Tensor, float]:
    """(outputs, shortest of a few times in seconds, the first of which does not count)."""
    best, _ = float("inf"), way(one, signal[:64])
    for _ in range(REPEATS):
        stop.check()
        device.wait(signal.device)
        began = time.perf_counter()
        y = way(one, signal)
        device.wait(signal.device)
        best = min(best, time.perf_counter() - began)
    return y, best


def _nplr(params: MemoryParams) -> Work:
    rows = []
    for n in SIZES:
        c = np.random.default_rng(params.seed).standard_normal(n)
        truth = nplr.powers(n, 1 / 100, TAPS, c)
        made = (nplr.direct(n, 1 / 100, TAPS, c), nplr.generated(n, 1 / 100, TAPS, c))
        errors = [float(np.abs(h - truth).max() / np.abs(truth).max()) for _, h in made]
        rows.append((made[0][0], made[1][0], *errors))
    whole = nplr.parts(SIZES[-1])
    back = whole[2] @ (np.diag(whole[0]) - np.outer(whole[1], whole[1].conj())) @ whole[2].conj().T
    gap = np.abs(back - hippo.legs(SIZES[-1])[0]).max()
    body = Conditions(SIZES, *(tuple(column) for column in zip(*rows)), nplr.skewness(SIZES[-1]))
    said = ("Beyond about 1e16, float64 itself cannot tell how large a condition number is: it is only known to be at "
            "least that.")
    yield body, said, (check("A comes back from its parts", gap, 1e-9,
                             "largest difference of U (Lambda - p p*) U* from A at N = 64"),
                       check("skew but for rank one", body.skew, 1e-10,
                             "largest entry of the symmetric part at N = 64"),
                       check("the kernel of multiplying", max(body.nplr_error), 1e-8,
                             "largest relative error of the kernel by NPLR"))


def _poles(params: MemoryParams) -> Work:
    lam, b = poles.placed(params)
    h, (f, gain) = poles.kernel(lam, b), poles.gain(lam, b)
    slowest = float(np.abs(lam).max())
    steps = np.arange(poles.SHOWN)
    closed = (b[:, None] * lam[:, None] ** steps).sum(0).real
    body = Plane("own" if params.poles.strip() else params.start,
                 *(tuple(v.tolist()) for v in (lam.real, lam.imag, h, f, gain)), slowest,
                 float(np.log(0.5) / np.log(slowest)) if slowest > 0 else 0.0, MOST)
    said = "These are your own eigenvalues; empty their field for the chosen ones." if params.poles.strip() else ""
    if fast := poles.aliased(params):
        said = (f"{fast} of the {len(lam)} pairs turn by more than half a cycle from one sample to the next, so they "
                "stand where slower "
                "ones would: a smaller dt keeps them apart.")
    yield body, said, (check("the kernel is a sum of powers", np.abs(closed - h).max(), 1e-9,
                             "recurrence against b lambda^l"),
                       check("the gain is the kernel's", poles.spectrum_gap(lam, b), 1e-8 * max(1.0, float(gain.max())),
                             "FFT of the kernel's first 512 samples against the closed form of as many"))


def _selective(params: MemoryParams) -> Work:
    body = selective.selective(params)
    trained, (places, data) = (selective.SLOTS, selective.DATA), (len(body.string) - len(body.wanted), len(body.wanted))
    said = f"Trained on {trained[0]} places with {trained[1]} data; this string has {places} with {data}."
    yield body, "" if (places, data) == trained else said, (
        check("the matrix is this head", max(one.residual for one in body.readers), 1e-4,
              "relative difference of M times the values from the scan in chunks of 16"),
        check("the twin's steps never change", np.ptp(body.readers[1].dt, axis=1).max(), 1e-6,
              "its largest dt less its smallest"))


def _lengths(params: MemoryParams) -> Work:
    body, said = (None, "Lines are measured now, on the first seed's models; dots are what all trained seeds reached "
                        "right after training.")
    for body in selective.lengths(params):
        yield body, said, None
    chance = 1 / len(LETTERS)
    near = min(abs(row[0] - one.accuracy[0]) for one in body.reaches[:1] for row in one.recorded)
    counts = {sum(p.numel() for p in shelf.copying(name).parameters()) for name in ("copy-ssd", "copy-lti")}
    yield body, said, (check("what ships is what was trained", near, 0.03,
                             "accuracy now less accuracy after training, at 1x"),
                       check("equally many parameters", max(counts) - min(counts), 0,
                             "parameters more in one twin than in the other"),
                       check("chance is below", chance, body.reaches[0].accuracy[-1],
                             "guessing one of 8 letters, against selective at 8x"))


def _family(params: MemoryParams) -> Work:
    body = family.family(params.kind, params.tokens, params.channel, params.seed)
    late = float(np.abs(np.triu(body.matrix, 1)).max(initial=0.0))
    yield body, f"{body.label}: {body.note}", (
        check("the matrix is the recurrence", body.residual, 1e-10,
              "relative difference of matrix times v from the loop over tokens"),
        check("causal", late, 0, "largest entry above the diagonal"))


VIEWS: dict[str, Callable[[MemoryParams], Work]] = {
    "scope": _scope, "layer": _layer, "nplr": _nplr, "poles": _poles, "selective": _selective, "lengths": _lengths,
    "family": _family,
}
