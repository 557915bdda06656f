"""What ZeroGPU does to an app, without a card: a program that prints one line.

`spaces.GPU` runs the function in a forked process, and arguments, results and errors travel by pickle; here that
process has the pretended device, and the page's own process none, so whatever touches the device outside of the
decorator fails. A generator's process stops when it is closed.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable
from inspect import isgeneratorfunction
from pickle import dumps, loads
from types import SimpleNamespace
from typing import Any

END = "end"


def gpu(duration: int) -> Callable[[Callable], Callable]:
    """`spaces.GPU(duration=...)`."""
    def around(fn: Callable) -> Callable:
        def grown(*args: Any, **kwargs: Any) -> Any:
            mine, theirs = FORK.Pipe()
            worker = FORK.Process(target=_work, args=(theirs, dumps((args, kwargs)), fn), daemon=True)
            worker.start()
            try:
                while (said := loads(mine.recv_bytes()))[0] != END:
                    if said[0] == "error":
                        raise said[1]
                    yield said[1]
            finally:
                worker.kill()
                worker.join()

        def whole(*args: Any, **kwargs: Any) -> Any:
            return next(grown(*args, **kwargs))

        found = grown if isgeneratorfunction(fn) else whole
        found.__module__, found.__qualname__ = fn.__module__, fn.__qualname__
        return found
    return around


FORK = multiprocessing.get_context("fork")


def _work(pipe: Any, given: bytes, fn: Callable) -> None:
    LENT.append(os.getpid())
    args, kwargs = loads(given)
    try:
        for item in fn(*args, **kwargs) if isgeneratorfunction(fn) else [fn(*args, **kwargs)]:
            pipe.send_bytes(dumps(("item", item)))
        pipe.send_bytes(dumps((END,)))
    except Exception as error:
        pipe.send_bytes(dumps(("error", error)))


LENT: list[int] = []
"""The process that has the card now, where this is one."""


def main() -> None:
    """One view of every tab, and what Segment asks; prints their names."""
    sys.modules["spaces"] = SimpleNamespace(GPU=gpu)
    import torch

    from backends import device, threads
    from tests import pretend
    from tests.backends.test_every_device import SMALL, TABS
    from ui.core.kept import Kept
    from ui.tabs.segment import answers, box
    from ui.tabs.segment.state import Params

    def resolve(name: str = "auto") -> torch.device:
        return pretend.HERE if name == "pretend" else torch.device(name)

    def exact() -> torch.device:
        assert os.getpid() in LENT, "the page's own process touches the device"
        return pretend.HERE

    device.resolve, device.exact = resolve, exact
    os.environ["GLASSBOX_DEVICE"] = "pretend"
    torch.tensor, torch.as_tensor = pretend.moved(torch.tensor), pretend.moved(torch.as_tensor)
    threads.alone(int)                                    # a pool whose threads no fork has
    for tab in TABS.values():
        view = next(iter(tab.views))
        result = tab.run(tab.params(**{tab.chooser: view, **SMALL[tab.slug]}))
        assert result.finished and type(result).__module__ == "backends.result"
        print(tab.slug, end=" ", flush=True)
    params, kept = Params(picture="scene-a", objects="one:100,120+", inside="click"), Kept()
    ask = {"objects": [{"name": "one", "steps": [{"point": [100, 120, 1], "choice": None}]}], "want": [0]}
    [item] = answers.reply("ann", params, ask, kept)["results"]
    assert item["areas"] and kept.get("ann", answers.SCREEN) is not None
    assert box.opened("ann", params, kept).finished
    *_, last = answers.everything("scene-a", "tiny", {"points_per_side": 2})
    assert "milliseconds" in last
    print("segment")


if __name__ == "__main__":
    main()
