"""Carries out what the provider does by itself, when its time has come.

What is to come stands in the journal, in the line before the operation that causes it, so it survives
a crash. While the ledger is frozen nothing of it happens, and nothing happens to an intent that a held
or slow request has locked.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable, Iterable

from paydrill.psp.later import EXPIRE
from paydrill.psp.ledger import Ledger
from paydrill.psp.lines import LaterLine

_LOCKED_S = 0.02
"""How soon a locked intent is looked at again."""


class Agenda:
    """`carry_out` does one item and returns when it is durable; `thawed` returns when nothing is frozen."""

    def __init__(
        self,
        ledger: Ledger,
        carry_out: Callable[[LaterLine], Awaitable[None]],
        thawed: Callable[[], Awaitable[None]],
        locked: Callable[[str], bool],
    ) -> None:
        self._ledger = ledger
        self._carry_out = carry_out
        self._thawed = thawed
        self._locked = locked
        self._due: list[tuple[int, int]] = []
        self._changed = asyncio.Event()

    @property
    def pending(self) -> int:
        """What is still to come."""
        return len(self._ledger.agenda)

    @property
    def expiring(self) -> int:
        """The ends of holds among it: nobody waits for those, a capture may come before."""
        return sum(line.what == EXPIRE for line in self._ledger.agenda.values())

    def take_up(self) -> None:
        """After a rebuild: what a crash left behind.

        After a reboot the monotonic clock begins anew, so nothing is waited for longer than was asked.
        """
        now = time.monotonic_ns()
        for line in self._ledger.agenda.values():
            heapq.heappush(self._due, (min(line.due, now + max(0, line.due - line.t)), line.item))
        self._changed.set()

    def add(self, lines: Iterable[LaterLine]) -> None:
        """Scheduled just now, and in the journal."""
        for line in lines:
            heapq.heappush(self._due, (line.due, line.item))
            self._changed.set()

    async def run(self) -> None:
        """For ever; cancel it."""
        while True:
            self._changed.clear()
            await self._thawed()
            line = self._next()
            if line is None:
                await self._wait()
            elif self._locked(line.pi):
                heapq.heappush(self._due, (time.monotonic_ns() + int(_LOCKED_S * 1e9), line.item))
            else:
                await self._carry_out(line)

    def _next(self) -> LaterLine | None:
        """What is due now; items that have become pointless are no longer in the ledger's agenda."""
        while self._due:
            due, item = self._due[0]
            line = self._ledger.agenda.get(item)
            if line is not None and due > time.monotonic_ns():
                return None
            heapq.heappop(self._due)
            if line is not None:
                return line
        return None

    async def _wait(self) -> None:
        wait_s = max(0.0, (self._due[0][0] - time.monotonic_ns()) / 1e9) if self._due else None
        try:
            # Not wait_for: before Python 3.12 it loses a cancellation that comes together with the event.
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            return
