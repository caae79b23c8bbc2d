"""All PSPs of a process, each behind a gate of its own: what one of them does leaves the others alone."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from services.breaker import Breaker, Limits
from services.database import Database
from services.freeze import is_frozen
from services.psp import Psp
from services.psp_gate import Gate
from services.retry_budget import RetryBudget
from services.settings import Settings


class Psps:
    """In the order in which new payments prefer them."""

    def __init__(self, by_name: Mapping[str, Psp]) -> None:
        self._by_name = dict(by_name)

    @classmethod
    @asynccontextmanager
    async def open(cls, db: Database, settings: Settings, retries: int) -> AsyncIterator[Psps]:
        async def frozen() -> bool:
            async with db.connection() as connection:
                return await is_frozen(connection)

        async with AsyncExitStack() as opened:
            psps = {}
            for account in settings.psps:
                gate = Gate(account.name, Breaker(Limits(), time.monotonic), settings.psp_at_once, frozen)
                psps[account.name] = await opened.enter_async_context(
                    Psp.open(
                        account.name,
                        account.url,
                        account.api_key,
                        gate,
                        RetryBudget(time.monotonic),
                        settings.psp_call_s,
                        retries,
                    )
                )
            yield cls(psps)

    def __getitem__(self, name: str) -> Psp:
        """Raises KeyError for one that this process was not told of."""
        return self._by_name[name]

    def __iter__(self) -> Iterator[Psp]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def names(self) -> tuple[str, ...]:
        """Those that take calls now come first."""
        return tuple(psp.name for psp in sorted(self, key=lambda psp: not psp.takes_calls))
