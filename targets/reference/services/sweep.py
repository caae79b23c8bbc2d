"""Compares the PSP's own list of payments with ours, so that no charge stays without an order.

What we know and left open is settled by it. A charge that we do not know is attached to its order where
that order still waits for it, and given back where none does. Each pass looks at what was recorded since
the last one, with an overlap; a deeper pass now and then forgives clocks and late records.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from services.database import Connection, Database, Row
from services.log import log
from services.order_states import move_order
from services.outbox import ORDER_PAID, announce
from services.payment_rows import OPEN_PAYMENT
from services.psp import Psp
from services.psp_outcomes import Captured, Declined, PspIntent
from services.settlement import Cause, settle
from services.stock import sell
from services.surplus import return_charge

OVERLAP_S = 8
DEEP_OVERLAP_S = 60
DEEP_EVERY = 10
GRACE_S = 3.0
"""A charge that we do not know is given that long, by our own clock, to turn up in our database."""

CAUSE = Cause("sweep")


class Sweep:
    """One pass. Its position is stored, so that a restarted worker goes on from there."""

    def __init__(self, db: Database, psp: Psp) -> None:
        self._db = db
        self._psp = psp
        self._passes = 0
        self._seen_at: dict[str, float] = {}

    async def run_once(self) -> None:
        """Raises StripeError or DatabaseUnavailable; then the position stays and the next pass repeats it."""
        async with self._db.connection() as connection:
            reached: int = await connection.fetchval("SELECT watermark FROM sweep_position")
        deep = self._passes % DEEP_EVERY == 0
        newest = reached
        async for page in self._psp.charges_since(max(0, reached - (DEEP_OVERLAP_S if deep else OVERLAP_S))):
            await self._compare(page)
            newest = max(newest, max(intent.created_s for intent in page))
        self._passes += 1
        if newest > reached:
            async with self._db.connection() as connection:
                await connection.execute(
                    "UPDATE sweep_position SET watermark = greatest(watermark, $1)", newest
                )

    async def _compare(self, page: Sequence[PspIntent]) -> None:
        async with self._db.connection() as connection:
            rows = await connection.fetch(
                """SELECT p.id, p.state, p.psp_id FROM payments p WHERE p.id = ANY($1)
                   UNION SELECT p.id, p.state, p.psp_id FROM payments p WHERE p.psp_id = ANY($2)""",
                [intent.payment_id for intent in page if intent.payment_id],
                [intent.psp_id for intent in page],
            )  # fmt: skip
            returned = await connection.fetch(
                "SELECT psp_payment FROM refunds WHERE kind = 'surplus' AND psp_payment = ANY($1)",
                [intent.psp_id for intent in page],
            )
        done = {row["psp_payment"] for row in returned}
        by_id = {row["id"]: row for row in rows}
        by_psp_id = {row["psp_id"]: row for row in rows}
        for intent in page:
            if intent.psp_id not in done:
                ours = by_psp_id.get(intent.psp_id) or by_id.get(intent.payment_id)
                await self._judge(intent, ours)

    async def _judge(self, intent: PspIntent, ours: Row | None) -> None:
        outcome = intent.outcome()
        if ours is None:
            if isinstance(outcome, Captured) and self._is_stray(intent.psp_id):
                async with self._db.transaction() as tx:
                    await _take_in_stray(tx, intent, outcome)
            return
        is_open = ours["state"] in OPEN_PAYMENT
        settles = is_open and isinstance(outcome, Captured | Declined)
        surplus = isinstance(outcome, Captured) and not is_open and ours["psp_id"] != intent.psp_id
        if settles or surplus or (ours["state"] in ("declined", "failed") and isinstance(outcome, Captured)):
            async with self._db.transaction() as tx:
                await settle(tx, ours["id"], outcome, CAUSE)

    def _is_stray(self, psp_id: str) -> bool:
        """Whether we have not known of the charge for long enough."""
        now = time.monotonic()
        return now - self._seen_at.setdefault(psp_id, now) >= GRACE_S


async def _take_in_stray(tx: Connection, intent: PspIntent, charge: Captured) -> None:
    """Attach the charge to the order that waits for exactly it, else give it back."""
    order = await tx.fetchrow(
        "SELECT id, state, total, currency, pay_attempt FROM orders WHERE id = $1 FOR UPDATE", intent.order_id
    )
    live = order and await tx.fetchval(
        "SELECT true FROM payments WHERE order_id = $1 AND state NOT IN ('declined', 'failed')", order["id"]
    )
    if (
        order is None
        or live
        or order["state"] not in ("reserved", "payment_pending")
        or (charge.amount, charge.currency) != (order["total"], order["currency"])
    ):
        await return_charge(tx, charge, order and order["id"], CAUSE.name)
        return
    await _attach(tx, order, intent, charge)


async def _attach(tx: Connection, order: Row, intent: PspIntent, charge: Captured) -> None:
    """The order is paid by a charge that we had not written down. Its stock is still reserved."""
    attempt = order["pay_attempt"]
    if order["state"] == "reserved":
        attempt += 1
        await tx.execute("UPDATE orders SET pay_attempt = $2 WHERE id = $1", order["id"], attempt)
        await move_order(tx, order["id"], "reserved", "payment_pending", CAUSE.name, charge.psp_id)
    payment_id = intent.payment_id or charge.psp_id
    await tx.execute(
        """WITH history AS (INSERT INTO payment_history (payment_id, seq, from_state, to_state, cause, cause_ref)
                            VALUES ($1, 1, '', 'intent', $7, $6), ($1, 2, 'intent', 'captured', $7, $6))
           INSERT INTO payments (id, order_id, attempt, amount, currency, token, state, psp_id, psp_key, next_check_at)
           VALUES ($1, $2, $3, $4, $5, '', 'captured', $6, $1 || ':attached', clock_timestamp())""",
        payment_id, order["id"], attempt, charge.amount, charge.currency, charge.psp_id, CAUSE.name,
    )  # fmt: skip
    version = await move_order(tx, order["id"], "payment_pending", "paid", CAUSE.name, payment_id)
    paid = {"order": order["id"], "amount": charge.amount, "currency": charge.currency}
    await announce(tx, order["id"], ORDER_PAID, version, paid)
    await sell(tx, order["id"])
    log("stray_charge_attached", order=order["id"], psp_payment=charge.psp_id)
