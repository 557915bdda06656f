"""The home view: a tile a tab, a card a preset with its picture, and a tour whose sentences are observations."""

import io
from html import escape

from PIL import Image

from tests.conftest import fetched
from tests.gallery import SIZE
from ui import TABS
from ui.core import home


def test_the_tour_shows_one_preset_of_each_tab_on_one_cat_and_one_sentence():
    steps = [preset for tab in TABS for preset in tab.presets if preset.name == tab.tour]
    assert len(steps) == len(TABS) == 8
    texts = {preset.params.text for preset in steps if getattr(preset.params, "text", "")
             and "cat" in preset.params.text}
    assert texts == {"The cat sat on the mat because the cat was tired."}
    assert {preset.params.picture for preset in steps if hasattr(preset.params, "picture")} == {"chelsea"}


def test_every_preset_has_a_card_and_a_picture_of_what_it_shows_today():
    html = home.html(TABS)
    names = set()
    for tab in TABS:
        assert f'data-visit="{tab.slug}"' in html
        for preset in tab.presets:
            assert escape(home.link(tab, preset)) in html and escape(preset.observation) in html
            if not fetched(tab, preset.params):
                names.add(home.picture(tab, preset))
    there = {path.name for path in home.GALLERY.glob("*.webp")}
    assert there == names, "run `python -m tests.gallery`"
    assert sum(path.stat().st_size for path in home.GALLERY.glob("*.webp")) < 1_500_000


def test_pictures_are_pictures():
    for path in home.GALLERY.glob("*.webp"):
        image = Image.open(io.BytesIO(path.read_bytes())).convert("L")
        low, high = image.getextrema()
        assert image.size == SIZE and high - low > 60, path.name
