"""A circuit breaker: after many failures nothing is sent for a while, then a few calls try whether it works again.

Pure: the clock is injected. One per PSP and process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Opens when of at least `calls` in the last `window_s` the share `failing` has failed or timed out."""

    window_s: float = 5.0
    calls: int = 20
    failing: float = 0.75
    open_s: float = 1.0
    probes: int = 3


class Breaker:
    """closed: all pass. open: none does. half_open: `probes` at once; one good answer closes, a bad one opens."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._seen: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self._opened_at: float | None = None
        self._probing = 0

    @property
    def state(self) -> str:
        if self._opened_at is None:
            return "closed"
        return "half_open" if self._clock() - self._opened_at >= self._limits.open_s else "open"

    def enter(self) -> bool:
        """Whether a call may start. Who enters must leave."""
        state = self.state
        if state == "half_open" and self._probing < self._limits.probes:
            self._probing += 1
            return True
        return state == "closed"

    def leave(self, failed: bool) -> None:
        if self._opened_at is not None:
            self._leave_probe(failed)
            return
        now = self._clock()
        self._seen.append((now, failed))
        self._failed += failed
        self._forget(now)
        many = len(self._seen) >= self._limits.calls
        if failed and many and self._failed >= self._limits.failing * len(self._seen):
            self._opened_at = now

    def _leave_probe(self, failed: bool) -> None:
        """Calls that began before it opened end here too: a good one among them is as good a sign."""
        self._probing = max(0, self._probing - 1)
        if not failed:
            self._opened_at = None
            self._seen.clear()
            self._failed = 0
        elif self.state == "half_open":
            self._opened_at = self._clock()

    def _forget(self, now: float) -> None:
        while self._seen and now - self._seen[0][0] > self._limits.window_s:
            self._failed -= self._seen.popleft()[1]
