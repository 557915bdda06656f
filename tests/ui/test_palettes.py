"""Colours that mean something stay apart for people who see two kinds of colour.

Colour blindness is simulated by the matrices of Machado, Oliveira and Fernandes (2009, table 1, severity 1.0) on linear
RGB; distances are CIEDE2000 (Sharma, Wu and Dalal 2005), where about 1 is the least that an eye tells side by side.
"""

import re
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pytest

from tests.conftest import ROOT
from ui.parts.plots import CATEGORIES, SIGNED
from ui.tabs.moe.sheets import EXPERTS

SEEN = {
    "all three": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
NEXT, ANY = 9.0, 5.5
"""The least distance of neighbours in a palette, and of any two of its colours, which also have names beside them."""
MAPS = {"CIVIDIS"}


def listed():
    """{file:NAME: colours} of every list of three or more colours in the scripts."""
    files = [*(ROOT / "ui").rglob("*.js"), *(ROOT / "assets" / "js").glob("*.js")]
    lists = re.compile(r"const (\w+) = \[((?:'#[0-9a-f]{6}'(?:, )?){3,})\]")
    return {f"{file.relative_to(ROOT).as_posix()}:{name}": re.findall("#[0-9a-f]{6}", found)
            for file in files for name, found in lists.findall(file.read_text("utf-8"))}


PALETTES = {"plots": CATEGORIES, "experts": EXPERTS, **listed()}
DRAWN = {name: colours for name, colours in PALETTES.items() if name.rpartition(":")[2] not in MAPS}


@cache
def lab(colour, sight):
    """CIE L*a*b* (D65) of "#rrggbb" as it is seen."""
    srgb = np.array([int(colour[at:at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = np.array(TO_XYZ) @ np.clip(np.array(SEEN[sight]) @ linear, 0, 1) / np.sum(TO_XYZ, 1)
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one, other):
    """CIEDE2000 of two colours in L*a*b*."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    g = 1.5 - 0.5 * np.sqrt(1 / (1 + (25 / max((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2, 1e-9)) ** 7))
    (c1, h1), (c2, h2) = ((np.hypot(g * a, b), np.degrees(np.arctan2(b, g * a)) % 360) for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    light, chroma, hue = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + turn / 2) % 360
    t = 1 + sum(w * np.cos(np.radians(k * hue + at)) for w, k, at in
                ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63)))
    dl = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    dc = (c2 - c1) / (1 + 0.045 * chroma)
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * t)
    bent = -2 * np.sqrt(chroma ** 7 / (chroma ** 7 + 25 ** 7)) * np.sin(np.radians(
        60 * np.exp(-((hue - 275) / 25) ** 2)))
    return float(np.sqrt(dl ** 2 + dc ** 2 + dh ** 2 + bent * dc * dh))


def test_distances_are_those_of_the_paper():
    """Pairs 1, 4, 17 and 25 of Sharma's table; white stays white for everybody."""
    for one, other, wanted in (((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
                               ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0),
                               ((50, 2.5, 0), (73, 25, -18), 27.1492),
                               ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644)):
        assert distance(one, other) == pytest.approx(wanted, abs=1e-4)
    assert all(lab("#ffffff", sight) == pytest.approx([100, 0, 0], abs=0.01) for sight in SEEN)


def test_all_palettes_are_found():
    assert {name.rpartition(":")[2] for name in PALETTES} == {"plots", "experts", "PALETTE", "HUES", "LAYERS", "GROUPS",
                                                             *MAPS}


@pytest.mark.parametrize("sight", SEEN)
def test_colours_of_a_palette_stay_apart(sight):
    for name, colours in DRAWN.items():
        seen = [lab(colour.lower(), sight) for colour in colours]
        near = min(distance(*pair) for pair in pairwise(seen))
        least = min(distance(*pair) for pair in combinations(seen, 2))
        assert near >= NEXT and least >= ANY, f"{name}: neighbours {near:.1f}, any two {least:.1f}"


@pytest.mark.parametrize("sight", SEEN)
def test_maps_are_read_by_lightness_and_both_signs_apart(sight):
    maps = {name.rpartition(":")[2]: [lab(c, sight) for c in colours] for name, colours in PALETTES.items()}
    light = [seen[0] for seen in maps["CIVIDIS"]]
    assert all(two > one + 3 for one, two in pairwise(light))
    script = (ROOT / "assets" / "js" / "maps.js").read_text("utf-8")
    signs = [np.array([int(one[at:at + 2], 16) for at in (0, 2, 4)]) for one in re.findall(
        "(?:BELOW|ABOVE) = '#([0-9a-f]{6})'", script)]
    assert [SIGNED[k][1] for k in (0, 3)] == [f"rgba({r}, {g}, {b}, 1)" for r, g, b in signs]   # charts as canvases
    for panel in (np.full(3, 255), np.array([0x16, 0x19, 0x1d])):
        for share in (0.4, 0.7, 1.0):
            mixed = ["#" + "".join(f"{round(v):02x}" for v in share * sign + (1 - share) * panel) for sign in signs]
            assert distance(*(lab(one, sight) for one in mixed)) >= NEXT, (panel, share)
