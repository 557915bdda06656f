"""The files inside a Qt resource file (`.rcc`), the form in which some Debian packages hold their pictures.

The format is that of Qt's `rcc` tool and `QResource`: big-endian, a header (magic, version, offsets of tree, data and
names), a tree whose nodes are folders (count and first child) or files (offset of the data), and names in UTF-16.  A
file is raw or compressed by zlib behind its length; zstd, which newer versions know, is not read here.
"""
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

MAGIC = b"qres"
NODE = {1: 14, 2: 22, 3: 22}   # bytes of a tree node, by version of the format
COMPRESSED, FOLDER, ZSTD = 1, 2, 4


def files(path: Path) -> Iterator[tuple[str, bytes]]:
    """(path inside, content) of every file, in the order of the tree; ValueError for what is no resource file."""
    blob = path.read_bytes()
    magic, version, tree, data, names = struct.unpack_from(">4s4I", blob.ljust(20, b"\0"))
    if magic != MAGIC or version not in NODE:
        raise ValueError(f"{path.name} is not a Qt resource file of version 1, 2 or 3.")

    def walk(node: int, folder: str) -> Iterator[tuple[str, bytes]]:
        at = tree + node * NODE[version]
        name, flags = struct.unpack_from(">IH", blob, at)
        length, = struct.unpack_from(">H", blob, names + name)
        # behind the length stand four bytes of the name's hash; the root has no name
        own = "" if not node else blob[names + name + 6:names + name + 6 + 2 * length].decode("utf-16-be")
        inside = f"{folder}/{own}" if folder else own
        if flags & FOLDER:
            count, first = struct.unpack_from(">2I", blob, at + 6)
            for child in range(first, first + count):
                yield from walk(child, inside)
        else:
            yield inside, content(blob, data + struct.unpack_from(">I", blob, at + 10)[0], flags)

    return walk(0, "")


def content(blob: bytes, at: int, flags: int) -> bytes:
    """One file's bytes, whose length stands at `at`."""
    if flags & ZSTD:
        raise ValueError("A file of this resource is compressed by zstd, which is not read here.")
    length, = struct.unpack_from(">I", blob, at)
    raw = blob[at + 4:at + 4 + length]
    return zlib.decompress(raw[4:]) if flags & COMPRESSED else raw
