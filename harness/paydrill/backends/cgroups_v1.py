"""The knobs of control groups, version 1: a file for each number (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paydrill.backends import WriteUnit

PERIOD_US = 100_000
NO_LIMIT_BYTES = 1 << 62  # what the kernel says for none is the greatest number of whole pages
_WRITES = {
    "operations": "blkio.throttle.write_iops_device",
    "bytes": "blkio.throttle.write_bps_device",
}


class Version1:
    """See cgroups.Knobs."""

    cpu_quota_file = "cpu.cfs_quota_us"
    cpu_stat_file = "cpu.stat"
    memory_limit_file = "memory.limit_in_bytes"
    memory_used_file = "memory.usage_in_bytes"
    memory_stat_file = "memory.stat"
    oom_file = "memory.oom_control"

    def cpu_quota(self, share: float | None) -> Sequence[tuple[str, str]]:
        quota = "-1" if share is None else str(round(share * PERIOD_US))
        return (("cpu.cfs_period_us", str(PERIOD_US)), (self.cpu_quota_file, quota))

    def read_cpu_quota(self, text: str) -> float | None:
        return None if int(text) < 0 else int(text) / PERIOD_US

    def read_throttled(self, text: str) -> int:
        return _number(text, "nr_throttled")

    def memory_limit(self, limit_bytes: int | None) -> Sequence[tuple[str, str]]:
        return ((self.memory_limit_file, "-1" if limit_bytes is None else str(limit_bytes)),)

    def read_memory_limit(self, text: str) -> int | None:
        return int(text) if int(text) < NO_LIMIT_BYTES else None

    def read_cached(self, text: str) -> int:
        return _number(text, "total_inactive_file") + _number(text, "total_active_file")

    def read_oom_kills(self, text: str) -> int:
        return _number(text, "oom_kill")

    def write_limit_file(self, unit: WriteUnit) -> str:
        return _WRITES[unit]

    def write_limit(self, device: str, per_s: int, unit: WriteUnit) -> Sequence[tuple[str, str]]:
        return ((_WRITES[unit], f"{device} {per_s}"),)

    def read_write_limit(self, text: str, device: str, unit: WriteUnit) -> int:
        """`7:0 50`, a line for each device that is limited."""
        lines = [line.split() for line in text.splitlines()]
        return next((int(words[1]) for words in lines if len(words) == 2 and words[0] == device), 0)


def _number(text: str, name: str) -> int:
    """Of a line `name number`."""
    lines = [line.split() for line in text.splitlines()]
    return next((int(words[1]) for words in lines if len(words) == 2 and words[0] == name), 0)
