"""Everything mode with `skip_covered`: what is asked, what is found, and the decoder in bfloat16."""
import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator

from backends import tuned
from backends.segment import Segmenter, everything, quick, sift
from backends.segment.tiny import build_tiny

GIVEN = {"points_per_side": 12, "points_per_batch": 8, "pred_iou_thresh": 0.5, "stability_score_thresh": 0.8}


def overlap(a, b):
    return (a & b).sum() / max((a | b).sum(), 1)


@pytest.fixture
def asked(colour, monkeypatch):
    """What happened in order: a crop's size, points (n, 2) that are clicked, masks (k, h, w) that cover."""
    events, grid = [], sift.Grid
    start, following, cover = grid.__init__, grid.next, grid.cover
    monkeypatch.setattr(grid, "__init__", lambda self, *a: events.append(("size", a[1])) or start(self, *a))
    monkeypatch.setattr(grid, "cover", lambda self, masks: events.append(("masks", masks)) or cover(self, masks))

    def spy(self, most):
        events.append(("points", following(self, most)))
        return events[-1][1]

    monkeypatch.setattr(grid, "next", spy)
    return events


@pytest.mark.parametrize("side", [1, 2, 3, 4, 7, 12, 16, 33])
def test_coarse_to_fine_is_the_whole_grid_once(side):
    assert sorted(sift.coarse_to_fine(side)) == list(range(side * side))


@pytest.mark.parametrize("covers", [0.3, 0.6])
def test_no_point_is_clicked_whose_masks_have_been_answered_often_enough_and_every_other_is(colour, make_scene, asked,
                                                                                     monkeypatch, covers):
    monkeypatch.setattr(tuned, "COVERS", covers)
    *_, last = colour.everything(make_scene(90, 140), skip_covered=True, **GIVEN)
    assert last.final and last.done == last.total == 144
    grid = everything._crops((90, 140), everything.Params(**GIVEN))[0].points
    count, left = np.zeros(len(grid)), {tuple(p): i for i, p in enumerate(grid)}
    for kind, value in asked:
        if kind == "points":
            clicked = [left.pop(tuple(p)) for p in value]
            assert (count[clicked] < covers).all()
        elif kind == "masks":
            h, w = value.shape[1:]
            held = value[:, (grid[:, 1] * h / 90).astype(int), (grid[:, 0] * w / 140).astype(int)]
            count += (held / held.sum(1, keepdims=True).clip(1)).sum(0)
    assert left and (count[list(left.values())] >= covers).all()


def test_each_crop_is_looked_at_anew(colour, make_scene, asked, monkeypatch):
    monkeypatch.setattr(tuned, "COVERS", 1)
    *_, last = colour.everything(make_scene(90, 140), skip_covered=True, crop_n_layers=1, **GIVEN)
    assert last.done == last.total == 5 * 144 and sum(kind == "size" for kind, _ in asked) == 5


def test_nearly_all_of_the_official_records_are_found(colour, make_scene, monkeypatch):
    monkeypatch.setattr(sift, "UNSURE", 0.3)               # 32 cells a side misjudge more than the 128 of tiny
    image = make_scene(90, 140)
    *_, last = colour.everything(image, skip_covered=True, **GIVEN)
    ours = [r["segmentation"] for r in last.records]
    theirs = [r["segmentation"] for r in SamAutomaticMaskGenerator(colour.sam, **GIVEN).generate(image)]
    assert np.mean([max(overlap(a, b) for b in ours) >= 0.9 for a in theirs]) >= 0.95 and len(theirs) > 4


@pytest.fixture(scope="module")
def tiny():
    return Segmenter("tiny", "cpu")


def test_folded_batch_norms_change_nothing_but_rounding():
    torch.manual_seed(0)
    decoder = build_tiny(128).mask_decoder
    for m in decoder.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.running_mean.normal_(), m.running_var.uniform_(0.5, 2)
    x = torch.randn(1, 2 * (64 + 96 + 64 + 1), 16, 16)
    sparse, dense = torch.tensor([[[30.0, 40.0, 1.0]]]), torch.zeros(1, 2, 32, 32)
    with torch.no_grad():
        wanted = decoder(x, None, sparse, dense, True)
        got = quick.folded(decoder)(x, None, sparse, dense, True)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in decoder.modules())
    for a, b in zip(wanted, got, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("dtype", "least", "most"), [(torch.bfloat16, 0.99, 0.005), (torch.float32, 0.9999, 1e-5)])
def test_the_quick_decoder_gives_the_masks_and_ratings_of_the_other(tiny, monkeypatch, dtype, least, most):
    if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor has no bfloat16")
    monkeypatch.setattr(quick, "precision", lambda device: dtype)
    monkeypatch.setattr(quick, "MADE", {})
    from backends import images
    e = tiny.embed(images.sample("coins"))
    xy = torch.rand(6, 1, 2, generator=torch.Generator().manual_seed(0)) * 400
    other = quick.quickened(tiny)
    assert other.sam.image_encoder is tiny.sam.image_encoder and quick.quickened(tiny).sam.mask_decoder is (
        other.sam.mask_decoder) is not tiny.sam.mask_decoder
    (a, one), (b, two) = (s.decode_batch(e, xy, torch.ones(6, 1), None, None, True) for s in (tiny, other))
    ious = [overlap(*pair) for pair in zip((a > 0).flatten(0, 1).numpy(), (b > 0).flatten(0, 1).numpy(), strict=True)]
    assert np.median(ious) > least and (one - two).abs().mean() < most and b.dtype == torch.float32


def test_the_quick_decoder_is_for_tiny_and_where_it_pays(tiny, colour, monkeypatch):
    monkeypatch.setattr(quick, "pays", lambda device: False)
    assert quick.quickened(tiny) is tiny
    monkeypatch.setattr(quick, "pays", lambda device: True)
    assert quick.quickened(colour) is colour
    monkeypatch.undo()
    assert not quick.pays(torch.device("cuda")) and not quick.pays(torch.device("mps"))


def test_low_resolution_judges_as_full_resolution_does_up_to_its_margin():
    low = torch.full((3, 8, 8), -5.0)
    low[0, 2:6, 1:4], low[1, :, :4] = 5, 0.5               # a sharp mask, one between both thresholds, none
    assert sift.stable(low, 0.0, 1.0, 0.8).tolist() == [True, False, False]
    assert sift.boxes_of(low[:2] > 0, (16, 24)).tolist() == [[3, 4, 11, 11], [0, 0, 11, 15]]


def test_beaten_boxes_go_whoever_beats_them():
    one, shifted, far = [0.0, 0, 10, 10], [0.0, 0, 10, 10.5], [50.0, 50, 60, 60]
    new, none, big = torch.tensor([shifted, one, far]), torch.zeros(0, 4), torch.zeros(3, dtype=torch.bool)
    assert sift.unbeaten(new, torch.tensor([0.5, 0.9, 0.1]), none, torch.zeros(0), 0.7, big) == [1, 2]
    assert sift.unbeaten(new, torch.tensor([0.5, 0.9, 0.1]), torch.tensor([one]), torch.tensor([1.0]), 0.7, big) == [2]
    assert sift.unbeaten(new, torch.tensor([0.5, 0.9, 0.1]), none, torch.zeros(0), 0.7, ~big) == [0, 1, 2]
    masks = torch.zeros(2, 40, 40, dtype=torch.bool)
    masks[0, :20, 3:19], masks[1, :20, :15] = True, True
    assert sift.small(masks).tolist() == [False, True]
