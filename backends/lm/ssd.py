"""A selective state-space mixer in its matrix form, and its time-invariant twin (Mamba-2, arXiv 2405.21060, sections
5-6 and listing 1).

    h_t = exp(dt_t A) h_{t-1} + dt_t B_t x_t,   y_t = C_t h_t + D x_t      per head, A < 0 a scalar, B and C shared
    Y = (L o C B^T) (dt X) + D X,   L_ij = exp(sum_{j<k<=i} dt_k A)

A depthwise causal convolution of width 4 and SiLU come first, a SiLU gate and RMSNorm last, as in Mamba.  Selective: dt
is a projection of the token, B and C of the convolved values (plus a learned constant), as in Mamba-2.  The twin
projects the constant alone, so its kernel is the same at every position; both have equally many parameters.
Simplified: one group, B and C are not convolved by themselves.  dt, decay and state are float32.  Letters: b batch, h
heads, n tokens, d head dimension, s state size, c chunk.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends import stop

CHUNK = 64
CONV = 4


def segment_sum(log: Tensor) -> Tensor:
    """S (..., n, n) with S_ij = sum of log over j < k <= i, and -inf above the diagonal; log (..., n).  No difference
    of large sums."""
    n = log.shape[-1]
    below = torch.ones(n, n, dtype=torch.bool, device=log.device).tril(-1)
    sums = log[..., None].expand(*log.shape, n).masked_fill(~below, 0).cumsum(-2)
    return sums.masked_fill(~(below | torch.eye(n, dtype=torch.bool, device=log.device)), -torch.inf)


def matrix(log: Tensor, dt: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The implicit attention (b, h, n, n): C_i . B_j exp(segment sum of `log`) dt_j.  log, dt (b, h, n); b, c (b, n,
    s)."""
    return segment_sum(log).exp() * (c @ b.transpose(-1, -2))[:, None] * dt[:, :, None, :]


def scan(x: Tensor, log: Tensor, dt: Tensor, b: Tensor, c: Tensor, chunk: int = CHUNK) -> Tensor:
    """Outputs (b, h, n, d) of the recurrence in chunks: x (b, h, n, d), log = dt A and dt (b, h, n), b and c (b, n,
    s)."""
    state, parts = None, []
    for at in range(0, x.shape[2], chunk):
        stop.check()
        cut = slice(at, at + chunk)
        u, a, w, k, q = x[:, :, cut], log[..., cut], dt[..., cut], b[:, cut], c[:, cut]
        reach = a.cumsum(-1)                                     # decay from before the chunk up to each token
        part = matrix(a, w, k, q) @ u
        if state is not None:
            part = part + torch.einsum("bns,bhsd->bhnd", q, state) * reach.exp()[..., None]
        fade = (reach[..., -1:] - reach).exp() * w               # (b, h, c): from each token to the chunk's end
        update = torch.einsum("bns,bhn,bhnd->bhsd", k, fade, u)
        state = update if state is None else state * reach[..., -1, None, None].exp() + update
        parts.append(part)
    return torch.cat(parts, 2) if parts else x


def recurrent(x: Tensor, log: Tensor, dt: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The same recurrence token by token: the oracle of `scan`."""
    state = x.new_zeros(*x.shape[:2], b.shape[-1], x.shape[-1])
    out = []
    for t in range(x.shape[2]):
        write = torch.einsum("bs,bhd->bhsd", b[:, t], x[:, :, t] * dt[:, :, t, None])
        state = state * log[:, :, t, None, None].exp() + write
        out.append(torch.einsum("bs,bhsd->bhd", c[:, t], state))
    return torch.stack(out, 2) if out else x


class StateSpace(nn.Module):
    """(b, n, D) -> (b, n, D).  `selective=False` is the time-invariant twin."""

    def __init__(self, width: int, heads: int, state: int = 16, selective: bool = True) -> None:
        super().__init__()
        self.heads, self.state, self.selective = heads, state, selective
        self.enter = nn.Linear(width, 2 * width, bias=False)
        self.conv = nn.Conv1d(width, width, CONV, groups=width, padding=CONV - 1)
        self.constant = nn.Parameter(torch.randn(width))
        self.pace = nn.Linear(width, heads, bias=False)
        self.steer = nn.Linear(width, 2 * state, bias=False)
        start = torch.exp(torch.rand(heads) * (math.log(0.1) - math.log(1e-3)) + math.log(1e-3))
        self.dt_bias = nn.Parameter(start + torch.log(-torch.expm1(-start)))        # softplus^-1
        self.log_a = nn.Parameter(torch.rand(heads) * math.log(16))
        self.skip = nn.Parameter(torch.ones(heads))
        self.norm = nn.RMSNorm(width)
        self.leave = nn.Linear(width, width, bias=False)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """(values (b, h, n, d), log decay (b, h, n), dt (b, h, n), B (b, n, s), C (b, n, s), gate (b, n, D)) of x (b,
        n, D)."""
        values, gate = self.enter(x).chunk(2, -1)
        values = F.silu(self.conv(values.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        token, mixed = ((x + self.constant, values + self.constant) if self.selective
                        else (self.constant.expand_as(x),) * 2)
        dt = F.softplus(self.pace(token).float() + self.dt_bias).transpose(1, 2)
        b, c = self.steer(mixed).float().chunk(2, -1)
        return values.unflatten(-1, (self.heads, -1)).transpose(1, 2), -dt * self.log_a.exp()[:, None], dt, b, c, gate

    def forward(self, x: Tensor) -> Tensor:
        """Mixes tokens; an output never depends on later ones."""
        if x.shape[1] == 0:
            return x
        values, log, dt, b, c, gate = self.parts(x)
        y = scan(values.float(), log, dt, b, c) + self.skip[:, None, None] * values
        return self.leave(self.norm(y.transpose(1, 2).flatten(2)) * F.silu(gate))
