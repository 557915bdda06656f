"""Free pictures for procedural scenes: photographs as texture and background, cut-outs with alpha as objects.

Nothing here is downloaded and none of it is shipped. The pictures come from Debian packages, each with a named licence
in its `copyright` file; unpack each with `apt-get download PACKAGE && dpkg -x PACKAGE*.deb FOLDER/PACKAGE` (FOLDER
must exist) and pass FOLDER to the recipe:

    tuxpaint-stamps-default 2022.06.04-1   GPL-2   photographed objects, cut out (cartoons and symbols are left out)
    mate-backgrounds 1.26.0-1 (nature/)      GPL-2+          photographs
    lomiri-wallpapers-16.04 20.04.0-2        CC-BY-4.0, CC-BY-SA-4.0, CC0-1.0 (per file)
    lomiri-wallpapers-20.04 20.04.0-2        CC-BY-SA-3.0    one photograph
    plasma-workspace-wallpapers 4:5.27.5-2   GPL-2+          eleven photographs (what is drawn is left out)
    palapeli-data 4:22.12.3-1                GPL-2+          photographs of the puzzles
    opencv-doc 4.6.0+dfsg-12   Apache-2.0 AND BSD-3-Clause
        eleven snapshots (well-known pictures of others are left out)
    python3-sklearn 1.2.1+dfsg-1             CC-BY-2.0       two photographs, named in datasets/images/README.txt
    gcompris-qt-data 3.1-2                   GPL-3+ and other free licences, per file
        118 photographs of animals, buildings, music and the sea, inside of Qt resource files (backends/train/rcc.py)

Without a folder the scenes use procedural textures and shapes alone.
"""
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from backends.train import rcc
from backends.train.initial import describer

PLASMA = ("BytheWater", "ColdRipple", "ColorfulCups", "DarkestHour", "EveningGlow", "FallenLeaf", "Grey", "Kite",
          "OneStandsOut", "Path", "summer_1am")
OPENCV = ("apple", "board", "building", "fruits", "home", "leuvenA", "orange", "smarties", "squirrel_cls", "stuff")
PHOTOS = ("**/lomiri-wallpapers-16.04/**/*.jpg", "**/Kleiber_by_Lukas_Baubkus.jpg", "**/mate/nature/*.jpg",
          *(f"**/wallpapers/{name}/contents/images/2560x1600.*" for name in PLASMA), "**/palapeli/collection/*.jpg",
          *(f"**/opencv-doc/examples/data/{name}.*" for name in OPENCV),
          "**/opencv-doc/examples/alphamat/input_images/plant.jpg", "**/sklearn/datasets/images/*.jpg")
NOT_IN_USE = ("umang", "analogpattern", "Wood.jpg", "Blinds.jpg")    # drawn, or one texture without regions
GCOMPRIS = ("clickgame", "erase", "explore_farm_animals", "explore_monuments", "explore_world_animals",
            "explore_world_music")
CUTOUTS = "**/tuxpaint/stamps/**/*.png"
NOT_PHOTOGRAPHS = ("cartoon", "symbols", "flags", "naturalforces", "shapes", "halloween", "hanukkah", "toys", "plastic")
LONG_SIDE = 1200
SMALLEST = 70                  # px, shorter side of a usable cut-out
SMALLEST_PHOTO = 500           # px, shorter side of a photograph in a resource file


@dataclass(frozen=True)
class Bank:
    """photos: uint8 (H, W, 3) RGB; cutouts: uint8 (H, W, 4) RGBA, tight around the object; features: see
    `initial.describer`."""
    photos: tuple[np.ndarray, ...] = ()
    cutouts: tuple[np.ndarray, ...] = ()
    features: Callable[[np.ndarray], np.ndarray] | None = None


def load_bank(folder: str | Path | None, init: str | Path | None = None) -> Bank:
    """All usable pictures under `folder`, in a fixed order; an empty bank without a folder.  init: the file of
    `initial.describer`."""
    if folder is None:
        return Bank()
    root = Path(folder)
    found = [p for pattern in PHOTOS for p in sorted(root.glob(pattern))
             if not any(word in str(p) for word in NOT_IN_USE)]
    photos = [shrink(Image.open(p).convert("RGB")) for p in found] + list(resources(root))
    stamps = [p for p in sorted(root.glob(CUTOUTS)) if not any(word in str(p) for word in NOT_PHOTOGRAPHS)]
    cutouts = [c for c in map(read_cutout, stamps) if c is not None]
    if not photos or not cutouts:
        raise ValueError(f"{folder} does not hold the unpacked packages that backends/train/pictures.py names.")
    return Bank(tuple(photos), tuple(cutouts), describer(init) if init else None)


def resources(root: Path) -> Iterator[np.ndarray]:
    """The photographs inside of GCompris' resource files; what is smaller is drawn."""
    for name in GCOMPRIS:
        for path in sorted(root.glob(f"**/gcompris-qt/rcc/{name}.rcc")):
            for inside, blob in sorted(rcc.files(path)):
                if inside.endswith(".webp"):
                    picture = Image.open(io.BytesIO(blob)).convert("RGB")
                    if min(picture.size) >= SMALLEST_PHOTO:
                        yield shrink(picture)


def shrink(picture: Image.Image) -> np.ndarray:
    """uint8 (H, W, 3) with the longer side at most LONG_SIDE."""
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def read_cutout(path: Path) -> np.ndarray | None:
    """RGBA cropped to its opaque part, or None where it is too small, empty or has no transparency."""
    picture = np.asarray(Image.open(path).convert("RGBA"))
    solid = picture[..., 3] > 127
    if not solid.any() or solid.mean() > 0.97:
        return None
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    tight = picture[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    return tight if min(tight.shape[:2]) >= SMALLEST else None
