"""Pictures for training that lie inside of Qt resource files."""
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from backends.train import pictures, rcc


def webp(side: int) -> bytes:
    """A grey square, `side` px wide, as WebP."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (90, 120, 60)).save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


def resource(members: dict[str, bytes], compress: bool) -> bytes:
    """A resource file of version 2: one folder with these files."""
    names, starts = b"", {}
    for name in ("photos", *members):
        starts[name] = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    data, places = b"", []
    for content in members.values():
        packed = struct.pack(">I", len(content)) + zlib.compress(content) if compress else content
        places.append(len(data))
        data += struct.pack(">I", len(packed)) + packed
    tree = struct.pack(">IHIIQ", 0, rcc.FOLDER, 1, 1, 0)
    tree += struct.pack(">IHIIQ", starts["photos"], rcc.FOLDER, len(members), 2, 0)
    for name, place in zip(members, places):
        tree += struct.pack(">IHHHIQ", starts[name], rcc.COMPRESSED * compress, 0, 1, place, 0)
    start = 20
    header = struct.pack(">4s4I", rcc.MAGIC, 2, start, start + len(tree), start + len(tree) + len(data))
    return header + tree + data + names


@pytest.mark.parametrize("compress", [False, True])
def test_files_of_a_resource_come_out_as_they_went_in(tmp_path, compress):
    members = {"gorilla.webp": webp(32), "notes.txt": b"free"}
    (tmp_path / "erase.rcc").write_bytes(resource(members, compress))
    assert dict(rcc.files(tmp_path / "erase.rcc")) == {f"photos/{name}": content for name, content in members.items()}


def test_what_is_no_resource_is_refused(tmp_path):
    (tmp_path / "erase.rcc").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="not a Qt resource file"):
        list(rcc.files(tmp_path / "erase.rcc"))


def test_photographs_are_found_in_resources_and_small_pictures_left_out(tmp_path):
    folder = tmp_path / "gcompris-qt-data/usr/share/gcompris-qt/rcc"
    folder.mkdir(parents=True)
    (folder / "erase.rcc").write_bytes(resource({"b.webp": webp(40), "a.webp": webp(500)}, False))
    assert [p.shape for p in pictures.resources(tmp_path)] == [(500, 500, 3)]
    assert isinstance(next(pictures.resources(tmp_path)), np.ndarray)


def test_a_folder_without_the_packages_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unpacked packages"):
        pictures.load_bank(tmp_path)
