"""Pascal VOC: XML boxes, and the two segmentation pictures that VOC's tools expect.

The layout of VOCdevkit (host.robots.ox.ac.uk/pascal/VOC/voc2012): Annotations/*.xml, SegmentationClass/*.png,
SegmentationObject/*.png, ImageSets/Segmentation/default.txt; and labelmap.txt, as CVAT and Datumaro read it.  In the
XML the first pixel of a picture is 1 and xmax, ymax belong to the box.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as Xml

from backends.segment.errors import SegmentError
from backends.segment.formats import names
from backends.segment.formats.labelmap import colours, numbered, shown
from backends.segment.formats.scene import Labelled, Picture, box, classes

MOST = 254  # numbers of 8 bits, less 0, the background, and 255, the border that does not count


def files(pictures: Sequence[Picture]) -> Iterator[tuple[str, bytes | str]]:
    """(name, content) of every file.  SegmentError if there are more labels or objects than 8 bits can number."""
    labels = classes(pictures)
    if max(len(labels), *(len(p.objects) for p in pictures)) > MOST:
        raise SegmentError(f"Pascal VOC's pictures can number at most {MOST} objects; please use COCO instead.")
    yield "labelmap.txt", _labelmap(labels)
    for picture in pictures:
        stem = names.stem(picture.file_name)
        yield f"Annotations/{stem}.xml", _xml(picture)
        ids = [labels.index(o.label) + 1 for o in picture.objects]
        for folder, numbers in (("Class", ids), ("Object", range(1, len(ids) + 1))):
            yield f"Segmentation{folder}/{stem}.png", shown(numbered(picture.size, picture.objects, numbers))
    yield ("ImageSets/Segmentation/default.txt",
           "".join(f"{names.stem(p.file_name)}\n" for p in pictures))


def _labelmap(labels: Sequence[str]) -> str:
    rows = zip(["background", *labels], colours().tolist(), strict=False)
    return "# label:color_rgb:parts:actions\n" + "".join(
        f"{label.replace(':', ' ')}:{','.join(map(str, rgb))}::\n" for label, rgb in rows)


def _xml(picture: Picture) -> bytes:
    (height, width), root = picture.size, Xml.Element("annotation")
    _fill(root, {"folder": "JPEGImages", "filename": picture.file_name})
    _fill(Xml.SubElement(root, "source"), {"database": "Unknown", "annotation": "Glassbox", "image": "Unknown"})
    _fill(Xml.SubElement(root, "size"), {"width": width, "height": height, "depth": 3})
    _fill(root, {"segmented": int(bool(picture.objects))})
    for thing in picture.objects:
        _object(Xml.SubElement(root, "object"), thing, picture.size)
    Xml.indent(root)
    return Xml.tostring(root, "utf-8", xml_declaration=True)


def _object(node: Xml.Element, thing: Labelled, size: tuple[int, int]) -> None:
    x0, y0, x1, y1 = box(thing.mask)
    cut = x0 == 0 or y0 == 0 or x1 == size[1] or y1 == size[0]
    _fill(node, {"name": thing.label, "pose": "Unspecified", "truncated": int(cut), "difficult": 0})
    _fill(Xml.SubElement(node, "bndbox"), {"xmin": x0 + 1, "ymin": y0 + 1, "xmax": x1, "ymax": y1})


def _fill(node: Xml.Element, values: dict[str, object]) -> None:
    for tag, value in values.items():
        Xml.SubElement(node, tag).text = str(value)
