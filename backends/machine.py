"""What this process may use of the machine: a container's limits (cgroup 1 and 2) count where they are lower."""
from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
UNKNOWN = 8 << 30               # bytes, where the system does not say


def memory() -> int:
    """Bytes of memory."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        whole = UNKNOWN
    limits = _numbers("memory.max") or _numbers("memory/memory.limit_in_bytes")
    return min([whole, *limits])


def share(part: float, most: int) -> int:
    """Bytes of a cache: that part of the memory, at most so many."""
    return min(most, int(part * memory()))


def cores() -> int:
    """Processor cores, at least one."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _numbers("cpu.max") or [*_numbers("cpu/cpu.cfs_quota_us"), *_numbers("cpu/cpu.cfs_period_us")]
    return max(1, min(here, round(quota[0] / quota[1]))) if len(quota) == 2 and quota[0] > 0 else here


def _numbers(name: str) -> list[int]:
    """The whole numbers of a control file; none where there is no limit."""
    try:
        words = (CGROUP / name).read_text("ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
    return [int(word) for word in words] if all(word.lstrip("-").isdecimal() for word in words) else []
