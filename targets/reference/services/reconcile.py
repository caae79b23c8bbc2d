"""Settles what a request left open: payments, refunds, and attempts that never reached the payments service.

Each is asked for again with its own stored key, or retrieved by the PSP's id, with growing pauses. The
rows are leased by moving `next_check_at`, so that several reconcilers, and the request that may still be
at work, do not get into each other's way; if they do, the key and the settlement make it harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.answers import Refusal
from services.database import Database
from services.log import log
from services.payment_open import OpenPayment, open_payment
from services.payment_rows import PAYMENT_COLUMNS, REFUND_COLUMNS, Payment, Refund
from services.psp import Psp
from services.psp_outcomes import ChargeOutcome, RefundOutcome, Unknown
from services.refunding import settle_refund
from services.settings import Settings
from services.settlement import Cause, settle

BATCH = 100
AT_ONCE = 8
LONGEST_PAUSE_S = 4
KEY_LIFE_S = 23 * 3600
"""The PSP may forget a key after a day; older ones are looked up, never used again."""

_TAKE = """
UPDATE {table} SET checks = checks + 1,
       next_check_at = clock_timestamp() + make_interval(secs => least(power(2, checks), $2))
WHERE id IN (SELECT id FROM {table} WHERE state IN {states} AND next_check_at <= clock_timestamp()
             ORDER BY next_check_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING {columns}"""

TAKE_PAYMENTS = _TAKE.format(
    table="payments", states="('submitted', 'unknown', 'pending_async')", columns=PAYMENT_COLUMNS
)
TAKE_REFUNDS = _TAKE.format(
    table="refunds", states="('requested', 'submitted', 'unknown', 'pending')", columns=REFUND_COLUMNS
)

Thing = TypeVar("Thing")


class Reconciler:
    """One pass looks at everything that is due."""

    def __init__(self, db: Database, psp: Psp, settings: Settings) -> None:
        self._db = db
        self._psp = psp
        self._settings = settings

    async def run_once(self) -> None:
        await self._open_lost_attempts()
        async with self._db.transaction() as tx:
            payments = [Payment.of(row) for row in await tx.fetch(TAKE_PAYMENTS, BATCH, LONGEST_PAUSE_S)]
            refunds = [Refund.of(row) for row in await tx.fetch(TAKE_REFUNDS, BATCH, LONGEST_PAUSE_S)]
        await _each(payments, self._settle_payment)
        await _each(refunds, self._settle_refund)

    async def _settle_payment(self, payment: Payment) -> None:
        outcome = await self._evidence_of(payment)
        async with self._db.transaction() as tx:
            await settle(tx, payment.id, outcome, Cause("reconciler"))

    async def _evidence_of(self, payment: Payment) -> ChargeOutcome:
        if payment.psp_id is not None:
            return await self._psp.retrieve(payment.psp_id)
        if payment.age_s > KEY_LIFE_S:
            return await self._psp.find(payment)
        outcome = await self._psp.charge(payment, key=payment.psp_key)
        if isinstance(outcome, Unknown) and outcome.failure_is_kept:
            return await self._psp.find(payment)
        return outcome

    async def _settle_refund(self, refund: Refund) -> None:
        outcome = await self._evidence_of_refund(refund)
        async with self._db.transaction() as tx:
            await settle_refund(tx, refund.id, outcome, Cause("reconciler"))

    async def _evidence_of_refund(self, refund: Refund) -> RefundOutcome:
        if refund.psp_id is not None:
            return await self._psp.retrieve_refund(refund)
        if refund.age_s > KEY_LIFE_S:
            return await self._psp.find_refund(refund)
        outcome = await self._psp.refund(refund)
        if isinstance(outcome, Unknown) and outcome.failure_is_kept:
            return await self._psp.find_refund(refund)
        return outcome

    async def _open_lost_attempts(self) -> None:
        """Orders that promised a payment which no payments node has heard of."""
        async with self._db.connection() as connection:
            rows = await connection.fetch(
                """SELECT o.id, o.pay_attempt, o.total, o.currency, o.pay_token FROM orders o
                   WHERE o.state = 'payment_pending'
                     AND o.updated_at < clock_timestamp() - make_interval(secs => $1)
                     AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.id AND p.attempt = o.pay_attempt)
                   LIMIT $2""",
                self._settings.orders_lease_s, BATCH,
            )  # fmt: skip
        for row in rows:
            wish = OpenPayment(
                order=row["id"],
                attempt=row["pay_attempt"],
                amount=row["total"],
                currency=row["currency"],
                payment_token=row["pay_token"],
            )
            await self._open(wish)

    async def _open(self, wish: OpenPayment) -> None:
        """Due at once. A payments node that hears of the attempt later finds this payment."""
        try:
            async with self._db.transaction() as tx:
                payment_id = await open_payment(tx, wish, 0.0)
        except Refusal:
            return
        log("lost_attempt_opened", order=wish.order, payment=payment_id)


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
