"""The knobs of control groups, version 2: `max` means no limit (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paydrill.backends import WriteUnit

PERIOD_US = 100_000
_WRITES = {"operations": "wiops", "bytes": "wbps"}


class Version2:
    """See cgroups.Knobs."""

    cpu_quota_file = "cpu.max"
    cpu_stat_file = "cpu.stat"
    memory_limit_file = "memory.max"
    memory_used_file = "memory.current"
    memory_stat_file = "memory.stat"
    oom_file = "memory.events"

    def cpu_quota(self, share: float | None) -> Sequence[tuple[str, str]]:
        quota = "max" if share is None else str(round(share * PERIOD_US))
        return ((self.cpu_quota_file, f"{quota} {PERIOD_US}"),)

    def read_cpu_quota(self, text: str) -> float | None:
        quota, period = text.split()
        return None if quota == "max" else int(quota) / int(period)

    def read_throttled(self, text: str) -> int:
        return _number(text, "nr_throttled")

    def memory_limit(self, limit_bytes: int | None) -> Sequence[tuple[str, str]]:
        """No way round by swapping: version 1 counts without swap too, where the machine has none."""
        if limit_bytes is None:
            return ((self.memory_limit_file, "max"), ("memory.swap.max", "max"))
        return (("memory.swap.max", "0"), (self.memory_limit_file, str(limit_bytes)))

    def read_memory_limit(self, text: str) -> int | None:
        return None if text.strip() == "max" else int(text)

    def read_cached(self, text: str) -> int:
        return _number(text, "inactive_file") + _number(text, "active_file")

    def read_oom_kills(self, text: str) -> int:
        return _number(text, "oom_kill")

    def write_limit_file(self, unit: WriteUnit) -> str:
        return "io.max"

    def write_limit(self, device: str, per_s: int, unit: WriteUnit) -> Sequence[tuple[str, str]]:
        return (("io.max", f"{device} {_WRITES[unit]}={per_s or 'max'}"),)

    def read_write_limit(self, text: str, device: str, unit: WriteUnit) -> int:
        """`7:0 rbps=max wbps=max riops=max wiops=50`, a line for each device that is limited."""
        for line in text.splitlines():
            name, _, told = line.partition(" ")
            if name == device:
                limits = dict(word.split("=") for word in told.split())
                found = limits.get(_WRITES[unit], "max")
                return 0 if found == "max" else int(found)
        return 0


def _number(text: str, name: str) -> int:
    """Of a line `name number`."""
    lines = [line.split() for line in text.splitlines()]
    return next((int(words[1]) for words in lines if len(words) == 2 and words[0] == name), 0)
