"""The one clock of a drill: CLOCK_MONOTONIC nanoseconds of the host.

Harness, PSP simulator, load generator and proxies share it, so that their time stamps may be
compared. Time stamps of the target are only shown, never compared.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the harness asks of time; tests crank their own by hand."""

    def now_ns(self) -> int:
        """Nanoseconds since an arbitrary point, never going back."""
        ...

    def sleep_until(self, t_ns: int) -> None:
        """Return when `now_ns()` has reached `t_ns`."""
        ...


class MonotonicClock:
    """The real one."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def sleep_until(self, t_ns: int) -> None:
        while (left_ns := t_ns - time.monotonic_ns()) > 0:
            time.sleep(left_ns / 1e9)
