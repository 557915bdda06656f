"""What the tab offers to other programs. Light to import: the work, and torch with it, is loaded by the first call."""

from collections.abc import Iterator
from typing import Any

from backends import tuned
from ui.tabs.segment.state import EVERYTHING, Params


def run(params: Params) -> Any:
    """Everything that a link says, computed anew: an ``answers.Result``."""
    from ui.tabs.segment import answers

    return answers.run(params)


def script(params: Params) -> str:
    """Python on the public backends that prints the numbers of ``run(params)``."""
    from ui.tabs.segment import answers

    return answers.script(params)


def segment(picture: Any, points: tuple[tuple[float, float], ...] | None = None,
            labels: tuple[int, ...] | None = None, box: tuple[float, float, float, float] | None = None,
            model: str = "tiny", smallest: int | None = None) -> dict:
    """Masks for clicks and a box on a picture: one prediction of ``Segmenter.predict``, cleaned.

    Parameters:
        picture: an uploaded file, or the name of a sample such as "chelsea", the cat
        points: list of [x, y] in pixels of the upright picture, or null
        labels: for each point 1 (inside) or 0 (outside); all inside when null
        box: [x0, y0, x1, y1] in pixels, or null
        model: tiny, or a downloaded one of vit_b, vit_l, vit_h, mobile_sam
        smallest: holes and islands of fewer pixels are filled and dropped; null for what suits the model, 0 for none
    """
    from ui.tabs.segment import answers

    return answers.segment(picture, points, labels, box, model, smallest)


def everything(
    picture: Any,
    model: str = "tiny",
    points_per_side: int = Params.points_per_side,
    pred_iou_thresh: float = Params.pred_iou_thresh,
    stability_score_thresh: float = Params.stability_score_thresh,
    box_nms_thresh: float = Params.box_nms_thresh,
    min_mask_region_area: int = Params.min_mask_region_area,
    skip_covered: bool = Params.skip_covered,
    crop_n_layers: int | None = None,
) -> Iterator[dict]:
    """All masks of a picture, found from a grid of clicks; the fields are those of SamAutomaticMaskGenerator.

    Parameters:
        picture: an uploaded file, or the name of a sample such as "chelsea", the cat
        model: tiny, or a downloaded one of vit_b, vit_l, vit_h, mobile_sam
        points_per_side: the grid, 1 to 32; time grows with the square
        pred_iou_thresh: drop masks that the model rates lower
        stability_score_thresh: drop masks whose border is vaguer
        box_nms_thresh: of two masks with a higher IoU of their boxes the lower rated goes
        min_mask_region_area: fills smaller holes and removes smaller islands inside masks; no minimum size of masks
        skip_covered: points in the masks of many clicks are not clicked; much faster, nearly the same masks
        crop_n_layers: 1 looks at four crops as well, 2 at sixteen more; null for what suits the model
    """
    from ui.tabs.segment import answers

    given = (points_per_side, pred_iou_thresh, stability_score_thresh, box_nms_thresh, min_mask_region_area,
             skip_covered, tuned.CROPS.get(model, 0) if crop_n_layers is None else crop_n_layers)
    return answers.everything(picture, model, dict(zip(EVERYTHING, given, strict=True)))
