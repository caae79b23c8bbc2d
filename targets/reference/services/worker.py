"""The worker process: outbox relay, reconciler, sweep and housekeeping.  `python -m services.worker`"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request

from services.database import Database
from services.expiry import expire_reservations
from services.idempotency import purge_keys
from services.log import failure_fields, log
from services.metrics import BACKLOG
from services.money_work import money_loops
from services.psps import Psps
from services.relay import IDLE_S, RETRY_S, Relay
from services.settings import Settings, from_environment
from services.web import make_app, run

HOUSEKEEPING_S = 1.0
AT_ONCE = 200
"""Reservations, and keys, that one round of housekeeping ends at most."""

FINISH_S = 4.0
"""At the end a piece of work that has begun is given that long."""


async def repeat(name: str, work: Callable[[], Awaitable[float]], ending: asyncio.Event) -> None:
    """Until it ends: work, then pause for as long as it says. A failure is logged and tried again."""
    while not ending.is_set():
        try:
            pause_s = await work()
        except Exception as error:
            log("worker_failed", loop=name, **failure_fields(error))
            pause_s = RETRY_S
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), pause_s)


def make(settings: Settings) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            db = await opened.enter_async_context(Database.open(settings.database_url, size=12))
            psps = await opened.enter_async_context(Psps.open(db, settings, retries=0))
            session = await opened.enter_async_context(aiohttp.ClientSession())
            app.state.db = db
            ending = asyncio.Event()
            loops = _loops(db, psps, session, settings, ending)
            try:
                yield
            finally:
                ending.set()
                _, unfinished = await asyncio.wait(loops, timeout=FINISH_S)
                for loop in unfinished:
                    loop.cancel()
                await asyncio.gather(*loops, return_exceptions=True)

    async def ready(request: Request) -> bool:
        db: Database = request.app.state.db
        return await db.is_ready()

    return make_app([], lifespan, ready)


def _loops(
    db: Database, psps: Psps, session: aiohttp.ClientSession, settings: Settings, ending: asyncio.Event
) -> list[asyncio.Task[None]]:
    relay = Relay(db, session, settings.fulfilment_url)

    async def send() -> float:
        return 0.0 if await relay.run_once() else IDLE_S

    async def keep_house() -> float:
        await expire_reservations(db, settings.reservation_life_s, AT_ONCE)
        await purge_keys(db, settings.key_life_s, AT_ONCE)
        async with db.connection() as connection:
            BACKLOG.set(await connection.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL"))
        return HOUSEKEEPING_S

    works = {"relay": send, "housekeeping": keep_house, **money_loops(db, psps, session, settings)}
    return [asyncio.create_task(repeat(name, work, ending)) for name, work in works.items()]


if __name__ == "__main__":
    chosen = from_environment()
    run(make(chosen), chosen)
