"""How long all processors of this machine had no time left while a drill ran.

Load, target, proxies and PSP share them on one machine. Where they are full, answers wait for a processor
as much as for the target, whoever took the time; another virtual machine on the same processors slows these
down without a trace in `steal`.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

LOOK_EVERY_S = 1.0
LEFT_PCT = 3
"""Processors that had less of their time left than this were full: even busy ones wait for an instant."""


class Ticks(NamedTuple):
    """Since boot, of all processors together. What waits for a disk counts as idle."""

    all: int
    idle: int
    stolen: int


def read_ticks() -> Ticks:
    """From /proc/stat."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return Ticks(all=sum(ticks[:8]), idle=ticks[3] + ticks[4], stolen=ticks[7])


def were_full(before: Ticks, after: Ticks) -> bool:
    """Whether nothing was left between two looks."""
    passed = after.all - before.all
    return passed > 0 and 100 * (after.idle - before.idle) < LEFT_PCT * passed


class FullProcessors:
    """A context manager that looks every second, from a thread of its own."""

    def __init__(self) -> None:
        self.full_s = 0.0
        """Seconds without time left, so far."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_until_over, name="processors", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look_until_over(self) -> None:
        at_s, ticks = time.monotonic(), read_ticks()
        while not self._over.wait(LOOK_EVERY_S):
            # On a full machine the thread itself wakes late: the time that passed counts, not the asked.
            now_s, now = time.monotonic(), read_ticks()
            if were_full(ticks, now):
                self.full_s += now_s - at_s
            at_s, ticks = now_s, now
