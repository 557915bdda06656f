"""ICC profiles for tests, written byte by byte: matrix and gamma for RGB, one gamma for grey, a table for CMYK."""

from __future__ import annotations

import struct

import numpy as np

ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
"""Columns: XYZ of red, green and blue under D50."""
WHITE = (0.9642, 1.0, 0.8249)


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def _xyz(values) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


def _profile(space: bytes, kind: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(WHITE), **tags}
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", 0, b"\0\0\0\0", 0x02100000, kind, space, pcs) + bytes(12) + b"acsp" + bytes(28)
    head += _fixed(*WHITE) + bytes(48)
    whole = head + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def rgb(primaries: np.ndarray, gamma: float) -> bytes:
    """A display: XYZ = primaries @ value ^ gamma."""
    tags = {name: _xyz(primaries[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return _profile(b"RGB ", b"mntr", b"XYZ ", tags | {n: _gamma(gamma) for n in (b"rTRC", b"gTRC", b"bTRC")})


def grey(gamma: float) -> bytes:
    """Grey of one gamma."""
    return _profile(b"GRAY", b"mntr", b"XYZ ", {b"kTRC": _gamma(gamma)})


def cmyk(lightness) -> bytes:
    """Inks whose 16 corners (c, m, y, k; k fastest) are greys of `lightness`, 0 to 100."""
    ramp = bytes(range(256))
    corners = b"".join(bytes([round(v * 2.55), 128, 128]) for v in lightness)
    table = (b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + ramp * 4 + corners + ramp * 3)
    return _profile(b"CMYK", b"prtr", b"Lab ", {b"A2B0": table})


def shown_in_srgb(values: np.ndarray, primaries: np.ndarray, gamma: float) -> np.ndarray:
    """What the definition says: uint8 colours (n, 3) of a display -> sRGB, floats 0 to 255, clipped."""
    light = np.clip(np.linalg.inv(SRGB) @ primaries @ (np.asarray(values) / 255).T ** gamma, 0, 1).T
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
