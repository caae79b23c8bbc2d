"""The worker's part in moving money: for each PSP its sweep, its reconciler and its settlement files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import aiohttp

from services.database import Database
from services.lost_attempts import open_lost_attempts
from services.psp import Psp
from services.psps import Psps
from services.reconcile import Reconciler
from services.settings import PspAccount, Settings
from services.settlement_match import SettlementMatch, wall_clock
from services.sweep import Sweep

Work = Callable[[], Awaitable[float]]
"""One pass; the pause after it in seconds."""


def money_loops(
    db: Database, psps: Psps, session: aiohttp.ClientSession, settings: Settings
) -> Mapping[str, Work]:
    """By name. A PSP in trouble delays nothing but its own loops."""
    loops: dict[str, Work] = {}
    for account in settings.psps:
        psp, sweep = psps[account.name], Sweep(db, psps[account.name])
        loops[f"reconcile_{account.name}"] = _reconcile(db, psps, psp, sweep, settings)
        loops[f"settlement_{account.name}"] = _match(db, session, account, psp, sweep, settings)
    return loops


def _reconcile(db: Database, psps: Psps, psp: Psp, sweep: Sweep, settings: Settings) -> Work:
    reconciler = Reconciler(db, psp, settings)

    async def work() -> float:
        # The list comes first: what it settles need not be asked for, and while it fails nothing is.
        await sweep.run_once()
        await open_lost_attempts(db, psps, settings.orders_lease_s)
        await reconciler.run_once()
        return settings.reconcile_period_s

    return work


def _match(
    db: Database,
    session: aiohttp.ClientSession,
    account: PspAccount,
    psp: Psp,
    sweep: Sweep,
    settings: Settings,
) -> Work:
    match = SettlementMatch(db, session, account, psp, sweep, wall_clock)

    async def work() -> float:
        await match.run_once()
        return settings.settlement_period_s

    return work
