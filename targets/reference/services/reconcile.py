"""Settles what a request left open: payments, operations on them, and refunds.

Each is asked for again with its own stored key, or retrieved by the PSP's id, with growing pauses. The
rows are leased by moving `next_check_at`, so that several reconcilers, and the request that may still be
at work, do not get into each other's way; if they do, the key and the settlement make it harmless.
While the switch says frozen the PSP is only read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.challenges import give_up
from services.chargebacks import book_waiting
from services.database import Database
from services.freeze import is_frozen
from services.log import log
from services.payment_rows import PAYMENT_COLUMNS, REFUND_COLUMNS, Payment, Refund
from services.payment_states import Cause
from services.psp import Psp
from services.psp_outcomes import ActionRequired, ChargeOutcome, RefundOutcome, Unknown
from services.refunding import settle_refund
from services.settings import Settings
from services.settlement import settle

BATCH = 100
AT_ONCE = 8
LONGEST_PAUSE_S = 4
KEY_LIFE_S = 23 * 3600
"""The PSP may forget a key after a day; older ones are looked up, never used again."""

CAUSE = Cause("reconciler")

_TAKE = """
UPDATE {table} SET checks = checks + 1,
       next_check_at = clock_timestamp() + make_interval(secs => least(power(2, checks), $2))
WHERE id IN (SELECT id FROM {table} r WHERE state IN {states} AND is_due(next_check_at) AND {psp} = $3
             ORDER BY next_check_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING {columns}"""

TAKE_PAYMENTS = _TAKE.format(
    table="payments",
    states="('submitted', 'unknown', 'requires_action', 'pending_async', 'authorised', 'capturing', 'voiding')",
    psp="psp",
    columns=PAYMENT_COLUMNS,
)
TAKE_REFUNDS = _TAKE.format(
    table="refunds",
    states="('requested', 'submitted', 'unknown', 'pending')",
    psp="coalesce(r.psp, (SELECT p.psp FROM payments p WHERE p.id = r.payment_id))",
    columns=REFUND_COLUMNS,
)

Thing = TypeVar("Thing")


class Reconciler:
    """One pass looks at everything that is due at one PSP."""

    def __init__(self, db: Database, psp: Psp, settings: Settings) -> None:
        self._db = db
        self._psp = psp
        self._challenge_life_s = settings.challenge_life_s
        self._lease_s = settings.payments_lease_s

    async def run_once(self) -> None:
        due = (BATCH, LONGEST_PAUSE_S, self._psp.name)
        async with self._db.transaction() as tx:
            payments = [Payment.of(row) for row in await tx.fetch(TAKE_PAYMENTS, *due)]
            refunds = [Refund.of(row) for row in await tx.fetch(TAKE_REFUNDS, *due)]
        await _each(payments, self._settle_payment)
        await _each(refunds, self._settle_refund)
        async with self._db.transaction() as tx:
            await book_waiting(tx, CAUSE)

    async def _settle_payment(self, payment: Payment) -> None:
        outcome = await self._evidence_of(payment)
        if isinstance(outcome, ActionRequired) and payment.state_age_s >= self._challenge_life_s:
            outcome = await self._give_up(payment) or outcome
        async with self._db.transaction() as tx:
            await settle(tx, payment.id, outcome, CAUSE)

    async def _evidence_of(self, payment: Payment) -> ChargeOutcome:
        if payment.op is not None and not await self._is_frozen():
            outcome = await self._psp.operate(payment, key=payment.op_key)
            if isinstance(outcome, Unknown) and outcome.failure_is_kept:
                return await self._psp.after_refusal(payment, outcome.why, certain=False)
            return outcome
        if payment.psp_id is not None:
            return await self._psp.retrieve(payment.psp_id)
        if payment.age_s > KEY_LIFE_S:
            return await self._psp.find(payment)
        if await self._is_frozen():
            return await self._psp.look(payment)
        outcome = await self._psp.charge(payment, key=payment.psp_key)
        if isinstance(outcome, Unknown) and outcome.failure_is_kept:
            return await self._psp.find(payment)
        return outcome

    async def _give_up(self, payment: Payment) -> ChargeOutcome | None:
        """What came of cancelling a payment whose challenge nobody does."""
        if payment.state != "requires_action" or await self._is_frozen():
            return None
        async with self._db.transaction() as tx:
            given_up = await give_up(tx, payment.id, self._lease_s)
        return None if given_up is None else await self._psp.operate(given_up, key=given_up.op_key)

    async def _settle_refund(self, refund: Refund) -> None:
        outcome = await self._evidence_of_refund(refund)
        async with self._db.transaction() as tx:
            await settle_refund(tx, refund.id, outcome, CAUSE)

    async def _evidence_of_refund(self, refund: Refund) -> RefundOutcome:
        calls = self._psp.refunds
        if refund.psp_id is not None:
            return await calls.retrieve(refund.psp_id)
        if refund.age_s > KEY_LIFE_S:
            return await calls.find(refund)
        if await self._is_frozen():
            return await calls.look(refund)
        outcome = await calls.make(refund)
        if isinstance(outcome, Unknown) and outcome.failure_is_kept:
            return await calls.find(refund)
        return outcome

    async def _is_frozen(self) -> bool:
        async with self._db.connection() as connection:
            return await is_frozen(connection)


async def _each(things: list[Thing], work: Callable[[Thing], Awaitable[None]]) -> None:
    """A few at a time; the failure of one is logged and leaves it to the next pass."""
    room = asyncio.Semaphore(AT_ONCE)

    async def guarded(thing: Thing) -> None:
        async with room:
            await work(thing)

    results = await asyncio.gather(*(guarded(thing) for thing in things), return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            log("reconcile_failed", error=type(result).__name__, why=str(result))
