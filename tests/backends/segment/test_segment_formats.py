"""What is written for other tools: each file is read back by its tool, or by its rules, and gives the masks again."""
import io
import json
import xml.etree.ElementTree as Xml
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as official
from pycocotools.coco import COCO
from scipy import ndimage

from backends.segment import SegmentError
from backends.segment.formats import FORMATS, Labelled, Picture, export, names
from backends.segment.formats.cutouts import cutout
from backends.segment.formats.labelmap import colours
from backends.segment.formats.scene import png_bytes

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # inside pycocotools
SIZE = (40, 60)
PIXELS = np.random.default_rng(0).integers(1, 256, (*SIZE, 3), dtype=np.uint8)


def blob(seed, share=0.5):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SIZE), 3)
    return noise > np.quantile(noise, 1 - share)


def square(x0, y0, x1, y1):
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


HOLED = square(5, 5, 50, 35) & ~square(10, 10, 30, 20)
OBJECTS = (Labelled.of("Tom", HOLED, 0.75, "cat"), Labelled.of("dust", np.zeros(SIZE, bool)),
           Labelled.of("猫", square(32, 6, 40, 12), None, "eye: left"))
CAT = Picture("猫 photo #1.png", SIZE, OBJECTS, PIXELS)
OTHER = Picture("rocket.jpg", SIZE, (Labelled.of("blob", blob(1), 0.5, "cat"),), PIXELS)


def members(file):
    with zipfile.ZipFile(io.BytesIO(file.content)) as pack:
        assert pack.testzip() is None
        return {name: pack.read(name) for name in pack.namelist()}


def read_by_pycocotools(content, tmp_path):
    path = tmp_path / "coco.json"
    path.write_bytes(content)
    return COCO(str(path))


@pytest.mark.parametrize("kind", ["coco", "polygons"])
def test_pycocotools_reads_several_pictures_of_one_coco_file_to_the_pixel(kind, tmp_path):
    file = export(kind, [CAT, OTHER])
    coco = read_by_pycocotools(file.content, tmp_path)
    assert file.left_out == ("dust",) and file.name == f"glassbox-{FORMATS[kind].ending}"
    assert [i["file_name"] for i in coco.loadImgs(coco.getImgIds())] == ["猫 photo #1.png", "rocket.jpg"]
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == ["cat", "eye: left"]
    objects = [OBJECTS[0], OBJECTS[2], OTHER.objects[0]]
    for note, thing in zip(coco.loadAnns(coco.getAnnIds()), objects, strict=True):
        assert np.array_equal(coco.annToMask(note), thing.mask)
        assert note["area"] == thing.mask.sum() == official.area(coco.annToRLE(note))
        assert note["bbox"] == official.toBbox(coco.annToRLE(note)).tolist()
        assert note["name"] == thing.name and note.get("score") == thing.score
        assert coco.loadCats(note["category_id"])[0]["name"] == thing.label
        assert coco.loadImgs(note["image_id"])[0]["file_name"] == (OTHER if thing.name == "blob" else CAT).file_name


def test_coco_files_of_results_can_be_compared_by_pycocotools(tmp_path):
    from pycocotools.cocoeval import COCOeval

    truth = read_by_pycocotools(export("coco", [CAT, OTHER]).content, tmp_path)
    notes = json.loads(export("polygons", [CAT, OTHER]).content)["annotations"]
    run = COCOeval(truth, truth.loadRes([{**note, "score": 0.9} for note in notes]), "segm")
    run.evaluate()
    run.accumulate()
    run.summarize()
    assert run.stats[0] == 1


def test_a_yolo_line_holds_the_whole_object_in_fractions():
    files = members(export("yolo", [CAT, OTHER]))
    assert sorted(files) == ["data.yaml", "labels/rocket.txt", "labels/猫 photo #1.txt"]
    assert '  0: "cat"\n  1: "eye: left"\n' in files["data.yaml"].decode()
    for name, objects in (("猫 photo #1", (OBJECTS[0], OBJECTS[2])), ("rocket", OTHER.objects)):
        lines = files[f"labels/{name}.txt"].decode().splitlines()
        for line, thing in zip(lines, objects, strict=True):
            number, *walk = line.split()
            assert int(number) == ["cat", "eye: left"].index(thing.label)
            xy = np.array(walk, float).reshape(-1, 2)
            assert xy.min() >= 0 and xy.max() <= 1
            ring = np.rint(xy * SIZE[::-1]).ravel().tolist()
            assert np.array_equal(official.decode(official.frPyObjects([ring], *SIZE)[0]), thing.mask)


def test_pascal_voc_is_as_its_devkit_has_it():
    files = members(export("voc", [CAT, OTHER]))
    root = Xml.fromstring(files["Annotations/猫 photo #1.xml"])
    assert root.findtext("filename") == "猫 photo #1.png" and root.findtext("segmented") == "1"
    assert [root.findtext(f"size/{k}") for k in ("width", "height", "depth")] == ["60", "40", "3"]
    boxes = [[int(o.findtext(f"bndbox/{k}")) for k in ("xmin", "ymin", "xmax", "ymax")] for o in root.iter("object")]
    assert boxes == [[6, 6, 50, 35], [33, 7, 40, 12]]
    assert [o.findtext("name") for o in root.iter("object")] == ["cat", "eye: left"]
    by_class = Image.open(io.BytesIO(files["SegmentationClass/猫 photo #1.png"]))
    by_object = Image.open(io.BytesIO(files["SegmentationObject/猫 photo #1.png"]))
    assert by_class.mode == by_object.mode == "P"
    assert by_class.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
    eye = OBJECTS[2].mask
    assert np.array_equal(np.asarray(by_object), np.where(eye, 2, OBJECTS[0].mask))
    assert np.array_equal(np.asarray(by_class), np.where(eye, 2, OBJECTS[0].mask))
    assert set(np.unique(Image.open(io.BytesIO(files["SegmentationClass/rocket.png"])))) == {0, 1}
    assert files["ImageSets/Segmentation/default.txt"].decode() == "猫 photo #1\nrocket\n"
    assert files["labelmap.txt"].decode().splitlines()[1:] == ["background:0,0,0::", "cat:128,0,0::",
                                                              "eye  left:0,128,0::"]


def test_objects_on_the_border_are_truncated_and_what_xml_forbids_does_not_break_it():
    thing = Labelled.of("a", square(0, 3, 60, 9), None, "<b>&\"")
    files = members(export("voc", [Picture("a.png", SIZE, (thing,))]))
    [node] = Xml.fromstring(files["Annotations/a.xml"]).iter("object")
    assert node.findtext("truncated") == "1" and node.findtext("name") == "<b>&\""
    assert [node.findtext(f"bndbox/{k}") for k in ("xmin", "xmax")] == ["1", "60"]


def test_the_colours_are_those_of_voc():
    table = colours().tolist()
    assert table[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert table[20] == [0, 64, 128] and table[15] == [192, 128, 128]
    assert table[255] == [224, 224, 192] and len({tuple(c) for c in table}) == 256


def test_a_label_map_and_its_legend_agree():
    files = members(export("labels", [CAT]))
    numbers = np.asarray(Image.open(io.BytesIO(files["猫 photo #1-labels.png"])))
    legend = json.loads(files["猫 photo #1-legend.json"])
    assert legend["file_name"] == "猫 photo #1.png" and (legend["height"], legend["width"]) == SIZE
    assert [(row["id"], row["name"], row["label"]) for row in legend["legend"]] == [
        (0, "background", "background"), (1, "Tom", "cat"), (2, "猫", "eye: left")]
    for row in legend["legend"]:
        assert row["pixels"] == (numbers == row["id"]).sum() and row["colour"] == colours()[row["id"]].tolist()
    assert (numbers[OBJECTS[2].mask] == 2).all() and legend["legend"][1]["pixels"] < HOLED.sum()


def test_more_objects_than_8_bits_hold_make_a_16_bit_label_map_and_no_voc():
    many = tuple(Labelled.of(f"o{i}", square(i % 60, i // 60, i % 60 + 1, i // 60 + 1)) for i in range(300))
    files = members(export("labels", [Picture("a.png", SIZE, many)]))
    numbers = np.asarray(Image.open(io.BytesIO(files["a-labels.png"])))
    assert np.array_equal(numbers.ravel()[:301], [*range(1, 301), 0])
    assert json.loads(files["a-legend.json"])["legend"][300]["pixels"] == 1
    with pytest.raises(SegmentError, match="at most 254"):
        export("voc", [Picture("a.png", SIZE, many)])


def test_cut_outs_are_cropped_and_keep_the_names_of_picture_and_object():
    twins = (Labelled.of("a/b", square(3, 4, 9, 20)), Labelled.of("A_b", HOLED))
    files = members(export("cutouts", [Picture("猫 photo #1.png", SIZE, twins, PIXELS)]))
    assert [*files] == ["猫 photo #1-a_b.png", "猫 photo #1-A_b (2).png"]
    rgba = np.asarray(Image.open(io.BytesIO(files["猫 photo #1-a_b.png"])))
    assert rgba.shape == (16, 6, 4) and (rgba[..., 3] == 255).all()
    assert np.array_equal(rgba[..., :3], PIXELS[4:20, 3:9])
    assert sorted(members(export("cutouts", [CAT, OTHER]))) == [
        "rocket/rocket-blob.png", "猫 photo #1/猫 photo #1-Tom.png", "猫 photo #1/猫 photo #1-猫.png"]


@pytest.mark.parametrize("kind", FORMATS)
def test_two_pictures_of_one_name_stay_apart_in_every_format(kind):
    pictures = [OTHER, OTHER, Picture("Rocket.PNG", SIZE, OTHER.objects, PIXELS)]
    file = export(kind, pictures)
    if kind in ("coco", "polygons"):
        assert [i["file_name"] for i in json.loads(file.content)["images"]] == ["rocket.jpg", "rocket (2).jpg",
                                                                                 "Rocket.PNG"]
    else:
        files = members(file)
        assert len(files) == len({n.casefold() for n in files})
        assert all(any(f"{stem}." in n or f"{stem}-" in n for n in files)
                   for stem in ("rocket", "rocket (2)", "Rocket (3)"))


@pytest.mark.parametrize("kind", FORMATS)
def test_one_picture_gives_its_name_to_the_file(kind):
    assert export(kind, [CAT]).name == f"猫 photo #1-{FORMATS[kind].ending}"


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_to_export_is_one_sentence(kind):
    with pytest.raises(SegmentError, match="no object"):
        export(kind, [Picture("a.png", SIZE, ())])
    with pytest.raises(SegmentError, match="Every mask is empty"):
        export(kind, [Picture("a.png", SIZE, OBJECTS[1:2], PIXELS)])


def test_an_unknown_kind_and_a_mask_of_another_size_are_refused():
    with pytest.raises(SegmentError, match="no export called"):
        export("docx", [CAT])
    with pytest.raises(SegmentError, match="mask has shape"):
        Picture("a.png", (60, 40), OBJECTS)


@pytest.mark.parametrize("name, file", [
    ("猫 photo #1.png", "猫 photo #1.png"), ("rocket.jpg", "rocket.jpg"), ("a/b\\c:d.png", "a_b_c_d.png"),
    ("CON.png", "_CON.png"), ("  a. ", "a"), ("", "picture"), ("...", "picture"), ("a\0\nb", "a__b"),
    ("\ud800x.png", "x.png"), ("../../etc/passwd", ".._.._etc_passwd"),
])
def test_names_lose_only_what_a_file_system_forbids(name, file):
    assert names.safe(name) == file


@given(st.text(max_size=400))
def test_any_name_becomes_one_that_fits_and_stays(name):
    made = names.safe(name)
    assert 0 < len(made.encode()) <= 180 and names.safe(made) == made and not names.FORBIDDEN.search(made)


@given(st.lists(st.sampled_from(["a.png", "A.png", "a.jpg", "a (2).png", "b"]), max_size=12), st.booleans())
def test_distinct_names_are_distinct_and_the_first_keeps_its_own(given_names, by_stem):
    made = names.distinct(given_names, by_stem)
    keys = [names.stem(n).casefold() if by_stem else n for n in made]
    assert len(set(keys)) == len(made) == len(given_names)
    assert made[:1] == given_names[:1]


IMAGE = np.random.default_rng(0).integers(1, 256, (20, 30, 3), dtype=np.uint8)
MASK = np.zeros((20, 30), bool)
MASK[4:9, 10:25] = True


def test_a_cutout_keeps_colours_inside_and_hides_the_rest():
    out = cutout(IMAGE, MASK)
    assert out.dtype == np.uint8 and out.shape == (20, 30, 4)
    assert np.array_equal(out[..., 3], MASK * 255)
    assert np.array_equal(out[MASK][:, :3], IMAGE[MASK]) and not out[~MASK].any()


def test_a_soft_cutout_has_the_sigmoid_as_straight_alpha():
    soft = np.linspace(-8, 8, 600).reshape(20, 30)
    out = cutout(IMAGE, MASK, soft=soft)
    assert np.array_equal(out[..., 3], np.rint(255 / (1 + np.exp(-soft))).astype(np.uint8))
    seen = out[..., 3] > 0
    assert np.array_equal(out[seen][:, :3], IMAGE[seen]) and not out[~seen].any()
    assert cutout(IMAGE, MASK, soft=np.full((20, 30), -1e4)).max() == 0


def test_a_crop_is_the_smallest_rectangle_that_holds_the_object():
    assert np.array_equal(cutout(IMAGE, MASK, crop=True), cutout(IMAGE, MASK)[4:9, 10:25])
    with pytest.raises(SegmentError, match="nothing to crop"):
        cutout(IMAGE, np.zeros((20, 30), bool), crop=True)


def test_shapes_that_differ_are_refused():
    with pytest.raises(SegmentError, match="mask has shape"):
        cutout(IMAGE, MASK.T)
    with pytest.raises(SegmentError, match="logits have shape"):
        cutout(IMAGE, MASK, soft=np.zeros((3, 3)))


@pytest.mark.parametrize("picture", [MASK, IMAGE, cutout(IMAGE, MASK), MASK.astype(np.uint8) * 7,
                                     MASK.astype(np.uint16) * 700])
def test_a_png_file_comes_back_to_the_last_bit(picture):
    back = np.asarray(Image.open(io.BytesIO(png_bytes(picture))))
    assert np.array_equal(back, picture * 255 if picture.dtype == bool else picture)
