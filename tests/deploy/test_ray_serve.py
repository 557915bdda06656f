"""Replicas on a local Ray: the same masks as in this process, and one that is killed takes its own request alone."""

import importlib.util
import os
import sys
import threading
import time

import numpy as np
import pytest

from backends import images, result
from backends.moe import answer
from backends.moe.params import MoeParams
from backends.plain import numbers
from backends.segment import Segmenter, SegmentError, work
from tests.conftest import ROOT

ray = pytest.importorskip("ray", reason="ray is not installed: deploy/requirements-ray.txt")
serve = pytest.importorskip("ray.serve", reason="ray is installed without serve")
CLICKS = [{"points": [[x, y]], "labels": [1]} for x, y in ((100, 120), (60, 40), (200, 90), (150, 150))]


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    """The module of deploy/, installed in this process over two replicas of Segmentation and one of Models."""
    os.environ["PYTHONPATH"] = str(ROOT)
    spec = importlib.util.spec_from_file_location("ray_serve", ROOT / "deploy" / "ray_serve.py")
    module = sys.modules["ray_serve"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ray.cloudpickle.register_pickle_by_value(module)
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    names = "read", "replayed", "preview", "predicted", "everything"
    before = {name: getattr(work, name) for name in names} | {"_steps": result._steps}
    module.install(*module.start((2, 2), (1, 1), 0.5))
    yield module, before
    for name, function in before.items():
        setattr(work if name in names else result, name, function)
    serve.shutdown()
    ray.shutdown()


def test_the_masks_are_those_of_this_process(replicas):
    _, here = replicas
    segmenter, image = Segmenter("tiny", "cpu"), images.sample("scene-a")
    for click in CLICKS:
        _, there = work.predicted(segmenter, image, **click)
        _, mine = here["predicted"](segmenter, image, **click)
        assert (there.masks == mine.masks).all() and np.allclose(there.scores, mine.scores)
    with pytest.raises(SegmentError, match="outside the picture"):
        work.predicted(segmenter, image, points=[[9000, 1]], labels=[1])
    *_, last = work.everything(segmenter, image, {"points_per_side": 2})
    assert last.final
    encoding, _ = work.predicted(segmenter, image, **CLICKS[0])
    assert encoding.cached, "the picture went to another replica than before"


def test_a_mechanism_with_a_model_gives_the_same_numbers(replicas, monkeypatch):
    params = MoeParams(text="def double(x):\n    return 2 * x\n")
    there = numbers(answer(params))
    monkeypatch.setattr(result, "_steps", replicas[1]["_steps"])
    assert there == numbers(answer(params)) and there["finished"]


def test_a_replica_that_is_killed_under_load_takes_its_own_requests_alone(replicas):
    segmenter, pictures = Segmenter("tiny", "cpu"), [images.sample(name) for name in ("scene-a", "scene-b", "scene-c")]
    said, done, ends = [], [], time.monotonic() + 60

    def visitor(number):
        while len(done) < 60 and time.monotonic() < ends:
            try:
                work.predicted(segmenter, pictures[number % 3], **CLICKS[number % 4])
                done.append(number)
            except SegmentError as error:
                said.append(str(error))

    crowd = [threading.Thread(target=visitor, args=(n,)) for n in range(6)]
    for one in crowd:
        one.start()
    while len(done) < 12 and time.monotonic() < ends:
        time.sleep(0.1)
    killed = next(a for a in ray.util.list_named_actors(all_namespaces=True) if "Segmentation" in a["name"])
    ray.kill(ray.get_actor(killed["name"], namespace=killed["namespace"]), no_restart=False)
    for one in crowd:
        one.join(70)
    assert len(done) >= 60 and len(said) <= 6
    assert set(said) <= {replicas[0].GONE}
