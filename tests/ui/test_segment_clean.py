"""Clean masks and the defaults of old links of the Segment tab."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from backends.segment import Segmenter, rle
from tests.discs import discs
from ui.core import permalink
from ui.core.kept import Kept
from ui.tabs.segment import answers, endpoints, models
from ui.tabs.segment.shown import suited
from ui.tabs.segment.state import Params, message_of, settings


class Holed:
    """Three masks of a disc with a hole of 9 and an island of 4 pixels, whatever is clicked."""

    def __init__(self, segmenter):
        self.segmenter = segmenter

    def __getattr__(self, name):
        return getattr(self.segmenter, name)

    @staticmethod
    def mask(size):
        mask = np.zeros(size, bool)
        mask[10:40, 10:40], mask[20:23, 20:23], mask[60:62, 60:62] = True, False, True
        return mask

    def upscale(self, e, logits):
        return torch.from_numpy(np.where(self.mask(e.size), 1.0, -1.0)).expand(len(logits), -1, -1)

    masks = Segmenter.masks

    def predict(self, e, **asked):
        found = self.segmenter.predict(e, **asked)
        return replace(found, masks=np.stack([self.mask(e.size)] * len(found.masks)))


def test_clicked_masks_are_clean_on_the_page_in_the_endpoint_and_in_the_script(monkeypatch, capsys):
    fake, kept = discs(), Kept()
    monkeypatch.setattr(models, "segmenter", lambda session, model: Holed(fake))
    monkeypatch.setattr("backends.segment.Segmenter", lambda name: Holed(fake))
    monkeypatch.setattr(models, "MODELS", dict.fromkeys(("tiny", "vit_b")))
    monkeypatch.setattr(models, "activate", lambda session, model: model)
    for smallest, area in ((0, 895), (5, 891), (10, 900), (1000, 900)):
        params = Params(picture="scene-a", objects="one:15,15+", smallest=smallest)
        [item] = answers.reply("ann", params, {"objects": message_of(params.things), "want": [0]}, kept)["results"]
        exec(compile(answers.script(params), "script", "exec"), {})
        [said] = json.loads(capsys.readouterr().out)["objects"]
        sent = endpoints.segment("scene-a", [[15, 15]], smallest=smallest)["masks"]
        assert {*item["areas"], *said["areas"], *(rle.decode(m).sum() for m in sent)} == {area}
    asked = {"tiny": 900, "vit_b": 895}                    # by default for the shipped model only
    assert asked == {m: rle.decode(endpoints.segment("scene-a", [[15, 15]], model=m)["masks"][0]).sum() for m in asked}
    hole = answers.run(Params(picture="scene-a", objects="one:15,15+;21,21-;60,60+", smallest=1000))
    assert hole.objects[0].area == 895                     # what a click asks for stays
    with pytest.raises(ValueError, match=r"Clean masks .px. must lie between 0 and 100000"):
        endpoints.segment("scene-a", [[15, 15]], smallest=-3)


def test_a_link_of_version_1_shows_the_masks_and_finds_the_regions_that_it_did():
    old, sentences = permalink.decode(Params, "tab=segment&v=1&objects=cat:1,2%2B&points_per_side=20")
    assert not sentences and old.smallest == 0 and old.objects == "cat:1,2+"
    assert settings(old) == {"points_per_side": 20, "pred_iou_thresh": 0.35, "stability_score_thresh": 0.55,
                             "box_nms_thresh": 0.7, "min_mask_region_area": 0, "skip_covered": False,
                             "crop_n_layers": 0}
    assert permalink.decode(Params, permalink.encode("segment", old)) == (old, ())
    assert permalink.encode("segment", Params()) == "tab=segment&v=3"
    assert permalink.decode(Params, "tab=segment&v=3") == permalink.decode(Params, "tab=segment") == (Params(), ())
    assert "another version" in permalink.decode(Params, "tab=segment&v=4&active=2")[1][0]
    assert permalink.decode(Params, "tab=segment&v=2")[0] == Params(smallest=100)


def test_another_model_is_asked_as_suits_it_unless_the_user_said_how():
    usual = {"smallest": Params().smallest, "crop_n_layers": 1}
    none = {"smallest": 0, "crop_n_layers": 0}
    assert suited(usual, "tiny", "vit_b") == none and suited(none, "own-1", "tiny") == usual
    assert suited(usual | {"smallest": 7}, "tiny", "vit_b") == none | {"smallest": 7}
    assert suited(usual | {"smallest": None}, "tiny", "vit_b") == none
