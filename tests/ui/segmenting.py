"""What tests of the Segment tab share: what a user has said, a picture file, and the fixtures of ``conftest``."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.discs import discs
from ui.core.kept import Kept
from ui.tabs.segment import models
from ui.tabs.segment.state import Params

SAID = Params(picture="scene-a", objects="one:100,120+~0;130,120-|two:b200,200,300,280~2|empty:", active=1)


def picture(path: Path, size=(64, 40)) -> Path:
    pixels = np.random.default_rng(size[0]).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    (tmp_path / "gradio" / "abc").mkdir(parents=True)
    return tmp_path / "gradio" / "abc"


@pytest.fixture
def fake(monkeypatch):
    segmenter = discs()
    monkeypatch.setattr(models, "Segmenter", lambda name: segmenter)
    monkeypatch.setattr(models, "available", lambda model: model == "tiny")
    return segmenter


@pytest.fixture
def kept():
    return Kept()
