"""Glassbox on a Ray cluster: the page and its API stay in one process, what computes runs in replicas of Ray Serve.

    pip install -r requirements.txt -r deploy/requirements-ray.txt
    python deploy/ray_serve.py --segmentation 1,4 --models 1,2 [the flags of app.py]

* Segmentation: the functions of ``backends.segment.work``. A picture goes to the replica that holds its embedding (the
  picture's digest is Serve's "multiplexed model"); clicks of many visitors on one picture are decoded as one batch.
* Models: the mechanisms of Attention, MoE and RoPE, whose language models are large; a model goes where it is loaded.

Both grow from their first to their second number of replicas with the requests that are under way. A request whose
replica dies is lost and says so in one sentence; the next one is answered by another replica. Files that visitors load,
and the operator's models, must lie where every machine of the cluster finds them.
"""
from __future__ import annotations

import argparse
import asyncio
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ray
from ray import serve
from ray.exceptions import RayError, RayTaskError

from backends import images, result, stop
from backends.segment import SegmentError, work

GONE = "The replica that worked on this has stopped; please ask again."
FEW = ("attention", "moe", "rope")
HELD = 256
"""Pictures, and models, that a replica counts as its own."""
LOOK = 0.2
"""Seconds between two looks at the stop token while a replica works."""
END = object()
PUT = 64
STORED: OrderedDict[str, Any] = OrderedDict()
"""The last pictures that were put into Ray's store."""


class Replica:
    """What both kinds share: work in threads, an iterator's items as they come, and an end when nobody listens."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(8)

    async def called(self, function: Any, *args: Any, **named: Any) -> Any:
        """``function`` in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, partial(function, *args, **named))

    async def items(self, make: Any) -> AsyncIterator[Any]:
        """Of the iterator that ``make`` gives."""
        token, work = stop.Token(), []

        def step() -> Any:
            with stop.watch(token):
                work[:] = work or [iter(make())]
                return next(work[0], END)

        try:
            while (item := await self.called(step)) is not END:
                yield item
        finally:
            token.stop()


@serve.deployment
class Segmentation(Replica):
    """The functions of ``backends.segment.work`` on pictures that are this replica's own."""

    @serve.multiplexed(max_num_models_per_replica=HELD)
    async def own(self, picture: str) -> str:
        """From now on the router sends this picture here."""
        return picture

    async def ask(self, name: str, *args: Any) -> Any:
        """One call of a function that gives one thing."""
        if serve.get_multiplexed_model_id():
            await self.own(serve.get_multiplexed_model_id())
        if name != "predicted":
            return await self.called(getattr(work, name), *args)
        if isinstance(answer := await self.predicted(args), Exception):        # one of a batch
            raise answer
        return answer

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.004)
    async def predicted(self, asks: list[tuple]) -> list[Any]:
        """``work.predicted`` for all who ask at this moment."""
        return await self.called(together, asks)

    async def grow(self, *args: Any) -> AsyncIterator[Any]:
        """Everything mode."""
        async for item in self.items(partial(work.everything, *args)):
            yield item


def together(asks: Sequence[tuple]) -> list[Any]:
    """Answers, or exceptions, to (segmenter, picture, prompt): each picture is encoded once, and prompts of one form on
    it are decoded at once."""
    found: list[Any] = [None] * len(asks)
    pictures: dict[tuple, list[int]] = {}
    for k, (segmenter, image, _) in enumerate(asks):
        pictures.setdefault((segmenter.name, images.digest(image)), []).append(k)
    for places in pictures.values():
        segmenter, image, _ = asks[places[0]]
        try:
            embedding = segmenter.embed(image)
            answers = segmenter.predict_all(embedding, [asks[k][2] for k in places])
        except Exception as error:
            answers = [error] * len(places)
        for k, answer in zip(places, answers, strict=True):
            found[k] = answer if isinstance(answer, Exception) else (
                work.Encoding(embedding.milliseconds, embedding.cached), answer)
    return found


@serve.deployment
class Models(Replica):
    """Mechanisms with language models."""

    @serve.multiplexed(max_num_models_per_replica=HELD)
    async def own(self, model: str) -> str:
        """From now on the router sends this model's work here."""
        return model

    async def grow(self, *args: Any) -> AsyncIterator[Any]:
        """The steps of a mechanism."""
        await self.own(serve.get_multiplexed_model_id())
        async for item in self.items(partial(result._steps, *args)):
            yield item


# --- the page's side ---


def sentence(error: Exception) -> Exception:
    """What went wrong in a replica as if it had happened here."""
    if isinstance(error, RayTaskError):
        return error.cause if isinstance(error.cause, Exception) else error
    return SegmentError(GONE) if isinstance(error, RayError) else error


def waited(response: Any) -> Any:
    """A replica's answer; the visitor who waits for it can stop."""
    while True:
        try:
            return response.result(timeout_s=LOOK)
        except TimeoutError:
            stop.check()
        except Exception as error:
            raise sentence(error) from None


def grown(handle: Any, *args: Any) -> Iterator[Any]:
    """A replica's items; closing the iterator ends its work."""
    items = handle.options(stream=True).grow.remote(*args)
    with ThreadPoolExecutor(1) as one:
        try:
            while True:
                coming = one.submit(next, items, END)
                while not coming.done():
                    stop.check()
                    _waits(coming)
                if (item := coming.result()) is END:
                    return
                yield item
        except RayError as error:
            raise sentence(error) from None
        finally:
            items.cancel()


def _waits(coming: Any) -> None:
    try:
        coming.result(LOOK)
    except TimeoutError:
        pass


def stored(digest: str, image: Any) -> Any:
    """The picture in Ray's store, where it is put once."""
    if digest not in STORED:
        STORED[digest] = ray.put(image)
        while len(STORED) > PUT:
            STORED.popitem(last=False)
    return STORED[digest]


def install(segmentation: Any, models: Any) -> None:
    """From now on this process asks the replicas."""

    def at(image: Any) -> tuple[Any, Any]:
        digest = images.digest(image)
        return segmentation.options(multiplexed_model_id=digest), stored(digest, image)

    def asked(name: str, segmenter: Any, image: Any, *args: Any) -> Any:
        handle, there = at(image)
        return waited(handle.ask.remote(name, segmenter, there, *args))

    def everything(segmenter: Any, image: Any, settings: dict) -> Iterator[Any]:
        handle, there = at(image)
        return grown(handle, segmenter, there, settings)

    def steps(module: str, view: str, one_core: bool, params: Any, inputs: dict) -> Iterator[Any]:
        if module.split(".")[1] not in FEW:
            return here(module, view, one_core, params, inputs)
        model = str(getattr(params, "model", "")) or module
        return grown(models.options(multiplexed_model_id=model), module, view, one_core, params, inputs)

    here, result._steps = result._steps, steps
    work.read = lambda segmenter: waited(segmentation.ask.remote("read", segmenter))
    work.replayed, work.preview = partial(asked, "replayed"), partial(asked, "preview")
    work.predicted = lambda segmenter, image, **prompt: asked("predicted", segmenter, image, prompt)
    work.everything = everything


def start(segmentation: tuple[int, int] = (1, 1), models: tuple[int, int] = (1, 1),
          cores: float = 1) -> tuple[Any, Any]:
    """Run both kinds, from so many to so many replicas; their handles."""
    serve.start(proxy_location="Disabled")
    return tuple(serve.run(kind.options(
        autoscaling_config={"min_replicas": few, "max_replicas": many, "target_ongoing_requests": 4},
        max_ongoing_requests=64, ray_actor_options={"num_cpus": cores}, health_check_period_s=2,
    ).bind(), name=kind.name, route_prefix=None) for kind, (few, many) in ((Segmentation, segmentation),
                                                                           (Models, models)))


def main() -> None:
    """Start the replicas, then the app with the flags that are left."""
    pair = lambda text: tuple(int(part) for part in text.split(","))  # noqa: E731
    parser = argparse.ArgumentParser(description="Glassbox with replicas.", add_help=False)
    parser.add_argument("--segmentation", type=pair, default=(1, 2), metavar="MIN,MAX")
    parser.add_argument("--models", type=pair, default=(1, 1), metavar="MIN,MAX")
    given, rest = parser.parse_known_args()
    ray.init(address=None, ignore_reinit_error=True)
    install(*start(given.segmentation, given.models))
    sys.argv[1:] = rest
    import app

    app.main()


if __name__ == "__main__":
    main()
