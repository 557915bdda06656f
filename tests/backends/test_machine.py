"""A container's limits are those of its control files; without one, the machine's."""

import pytest

from backends import machine

GIB = 1 << 30


@pytest.fixture
def limited(tmp_path, monkeypatch):
    """Set control files, on a machine of 64 GiB and 32 cores."""
    def put(**files):
        for name, text in files.items():
            file = tmp_path / name.replace("__", "/").replace("_at_", ".")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)

    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * GIB // 4096}
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(machine.os, "sysconf", sizes.get)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: set(range(32)), raising=False)
    return put


@pytest.mark.parametrize("files, memory, cores", [
    ({}, 64, 32), ({"memory_at_max": "max\n", "cpu_at_max": "max 100000\n"}, 64, 32),
    ({"memory_at_max": f"{16 * GIB}\n", "cpu_at_max": "200000 100000\n"}, 16, 2),
    ({"cpu_at_max": "50000 100000\n"}, 64, 1),
    ({"memory__memory_at_limit_in_bytes": str(2**63 - 4096), "cpu__cpu_at_cfs_quota_us": "-1",
      "cpu__cpu_at_cfs_period_us": "100000"}, 64, 32),
    ({"memory__memory_at_limit_in_bytes": str(4 * GIB), "cpu__cpu_at_cfs_quota_us": "400000",
      "cpu__cpu_at_cfs_period_us": "100000"}, 4, 4)])
def test_limits_are_read(limited, files, memory, cores):
    limited(**files)
    assert machine.memory() == memory * GIB and machine.cores() == cores


def test_what_may_be_kept_fits_into_a_small_space(limited):
    """16 GB, and 6 GB of one cache do not fit: all caches of models together leave a third."""
    limited(memory_at_max=str(16 * GIB))
    assert machine.share(0.2, 6 * GIB) < 3.3 * GIB
    from backends import models
    from backends.segment import models as segment
    from ui.tabs.segment import models as own

    parts = models.SHARE + segment.SHARE + own.SHARE
    assert parts <= 0.67 and machine.share(segment.SHARE, segment.MOST) > 641.1e6 * 4    # ViT-H fits, alone
