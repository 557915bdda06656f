"""The manifest is complete, and the shipped files are the ones it names."""
import json

import pytest

from backends import weights

ROWS = json.loads((weights.FOLDER / "MANIFEST.json").read_text(encoding="utf-8"))["weights"]
FIELDS = {"name", "bytes", "sha256", "licence", "architecture", "recipe", "seed", "steps", "hardware", "data", "metric",
          "measured", "note"}
SHIPPED = [e for e in weights.manifest() if e.file]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_every_row_has_every_field_and_no_other(row):
    assert row.keys() - {"file", "url"} == FIELDS and len(row.keys() & {"file", "url"}) == 1


def test_names_and_files_are_unique_and_the_offered_models_are_there():
    assert len({row["name"] for row in ROWS}) == len({weights.path(row["name"]) for row in ROWS}) == len(ROWS)
    assert {e.name for e in weights.manifest() if e.url} == {"vit_b", "vit_l", "vit_h", "mobile_sam"}


@pytest.mark.parametrize("e", weights.manifest(), ids=lambda e: e.name)
def test_every_entry_has_size_digest_licence_and_one_source(e):
    assert (e.file is None) != (e.url is None)
    assert e.bytes > 0 and len(e.sha256) == 64 and int(e.sha256, 16)
    assert e.sha256 == e.sha256.lower() and e.licence and e.architecture
    assert e.url is None or e.url.startswith("https://")


@pytest.mark.parametrize("e", SHIPPED, ids=lambda e: e.name)
def test_shipped_files_are_small_whole_and_have_a_recipe_and_a_metric(e):
    file = weights.path(e.name)
    assert file.stat().st_size == e.bytes <= 25_000_000 and weights.digest_of(file) == e.sha256
    assert e.recipe and e.recipe.startswith("backends.train.")
    assert (e.steps or e.name == "lite0-stages") and e.hardware and e.data and e.seed is not None
    assert {"name", "value", "tolerance", "how"} <= e.metric.keys()


def test_no_file_lies_in_weights_without_an_entry():
    others = {"README.md", "MANIFEST.json", "mixers.json", "lengths.json", "copying.json", "moe.json", "seek.json"}
    assert {p.name for p in weights.FOLDER.iterdir()} == {e.file for e in SHIPPED} | others
