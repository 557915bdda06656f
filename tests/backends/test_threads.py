"""One-core work is in threads of its own and leaves all other threads as they were."""
import subprocess
import sys
import threading

import pytest

from backends import threads

PROGRAM = """
import threading, torch
from backends import threads
torch.set_num_threads(3)
inside = [threads.alone(torch.get_num_threads) for _ in range(4)]
seen = []
new = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
new.start(); new.join()
print(inside, torch.get_num_threads(), seen)
"""


def test_only_its_own_threads_use_one_core():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[1, 1, 1, 1] 3 [3]", done.stderr


def test_results_and_exceptions_come_back():
    assert threads.alone(divmod, 7, 2) == (3, 1)
    assert threads.alone(lambda: threading.current_thread().name).startswith("one-core")
    with pytest.raises(ZeroDivisionError):
        threads.alone(divmod, 7, 0)


def test_many_come_back_in_order_and_a_closed_stream_starts_no_more():
    assert list(threads.each(lambda n: n * n, range(7))) == [n * n for n in range(7)]
    begun = []
    stream = threads.each(begun.append, range(100))
    next(stream)
    stream.close()
    assert len(begun) < 10
