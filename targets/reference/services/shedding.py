"""Refusing work that cannot be done in time, definitely and before anything of it is executed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.answers import Refusal
from services.metrics import SHED

BURST_S = 4.0
"""A caller may be ahead of its rate by that much at once."""

MANY_CALLERS = 10_000


class Bulkhead:
    """At most `limit` pieces of one kind of work at a time, so that a slow kind cannot take all there is."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._under_way = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Raises Refusal 503 where all places are taken."""
        if self._under_way >= self._limit:
            SHED.labels(self._name).inc()
            raise Refusal(503, "overloaded", "too much is under way; nothing was done", retry_after_s=1)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


class RateLimit:
    """`rate` requests a second for each caller, with a burst of BURST_S seconds' worth. In this process only."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._free_at: dict[str, float] = {}

    def admit(self, caller: str) -> None:
        """Raises Refusal 429."""
        now = self._clock()
        # When the caller will have paid for all that it asked for, at its rate (GCRA).
        free_at = max(self._free_at.get(caller, 0.0), now)
        if free_at - now > BURST_S:
            SHED.labels("rate").inc()
            raise Refusal(429, "rate_limited", "too many requests; nothing was done", retry_after_s=1)
        if len(self._free_at) >= MANY_CALLERS:
            self._free_at = {name: at for name, at in self._free_at.items() if at > now}
        self._free_at[caller] = free_at + 1 / self._rate
