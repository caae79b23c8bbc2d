"""Whether this machine was fit to measure on while the drill ran: stolen CPU, swapping, suspension."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paydrill.processors import read_ticks


@dataclass(frozen=True)
class HostSample:
    """Counters since boot."""

    cpu_ticks: int
    steal_ticks: int
    swap_pages: int
    suspended_ns: int


def sample() -> HostSample:
    """Reads /proc; takes well under a millisecond."""
    ticks = read_ticks()
    pages = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    return HostSample(
        cpu_ticks=ticks.all,
        steal_ticks=ticks.stolen,
        swap_pages=int(pages.get("pswpin", 0)) + int(pages.get("pswpout", 0)),
        # BOOTTIME counts suspension, MONOTONIC does not.
        suspended_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC),
    )


def between(before: HostSample, after: HostSample) -> Mapping[str, float]:
    """What happened to the host in between, as the timeline's `host` line has it."""
    ticks = max(1, after.cpu_ticks - before.cpu_ticks)
    return {
        "steal_pct": round(100 * (after.steal_ticks - before.steal_ticks) / ticks, 2),
        "swap_pages": after.swap_pages - before.swap_pages,
        "suspended_s": round((after.suspended_ns - before.suspended_ns) / 1e9, 3),
        "load_1m": os.getloadavg()[0],
    }
