"""Counts what is being worked on, so that somebody may wait until nothing is."""

from __future__ import annotations

import asyncio


class Flight:
    """Requests being executed, by number: neither held nor sleeping."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self._idle = asyncio.Event()

    def __len__(self) -> int:
        return len(self._running)

    def enter(self, req: int) -> None:
        self._running.add(req)

    def leave(self, req: int) -> None:
        self._running.discard(req)
        if not self._running:
            self._idle.set()

    async def empty(self) -> None:
        """Return when nothing is in flight."""
        while self._running:
            self._idle.clear()
            await self._idle.wait()
