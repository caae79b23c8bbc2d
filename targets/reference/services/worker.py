"""The worker process: outbox relay, reconciler and sweep.  `python -m services.worker`"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request

from services.database import Database
from services.log import failure_fields, log
from services.psp import Psp
from services.reconcile import Reconciler
from services.relay import IDLE_S, RETRY_S, Relay
from services.settings import Settings, from_environment
from services.sweep import Sweep
from services.web import make_app, run


async def repeat(name: str, work: Callable[[], Awaitable[float]]) -> None:
    """For ever: work, then pause for as long as it says. A failure is logged and tried again."""
    while True:
        try:
            pause_s = await work()
        except Exception as error:
            log("worker_failed", loop=name, **failure_fields(error))
            pause_s = RETRY_S
        await asyncio.sleep(pause_s)


def make(settings: Settings) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            db = await opened.enter_async_context(Database.open(settings.database_url, size=12))
            psp = await opened.enter_async_context(
                Psp.open(settings.psp_url, settings.psp_api_key, settings.psp_call_s, retries=0)
            )
            session = await opened.enter_async_context(aiohttp.ClientSession())
            app.state.db = db
            loops = _loops(db, psp, session, settings)
            try:
                yield
            finally:
                for loop in loops:
                    loop.cancel()
                await asyncio.gather(*loops, return_exceptions=True)

    async def ready(request: Request) -> bool:
        db: Database = request.app.state.db
        return await db.is_ready()

    return make_app([], lifespan, ready)


def _loops(
    db: Database, psp: Psp, session: aiohttp.ClientSession, settings: Settings
) -> list[asyncio.Task[None]]:
    relay, sweep, reconciler = (
        Relay(db, session, settings.fulfilment_url),
        Sweep(db, psp),
        Reconciler(db, psp, settings),
    )

    async def send() -> float:
        return 0.0 if await relay.run_once() else IDLE_S

    async def reconcile() -> float:
        # The list comes first: what it settles need not be asked for, and while it fails nothing is.
        await sweep.run_once()
        await reconciler.run_once()
        return settings.reconcile_period_s

    return [asyncio.create_task(repeat("relay", send)), asyncio.create_task(repeat("reconcile", reconcile))]


if __name__ == "__main__":
    chosen = from_environment()
    run(make(chosen), chosen)
