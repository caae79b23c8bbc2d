"""Compares a PSP's own lists with ours, so that no charge stays without an order and no refund unbooked.

What we know and left open is settled by it. A charge that we do not know is attached to its order where
that order still waits for it, and given back where none does; a hold is let go. Each pass looks at what
was recorded since the last one, with an overlap; a deeper pass now and then forgives clocks and late
records. A stranger that the PSP has not decided yet is looked at until it has.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from services.breaks import report
from services.database import Connection, Database, Row
from services.ledger import capture_of_order, post
from services.log import log
from services.order_states import move_order
from services.outbox import ORDER_PAID, announce
from services.payment_rows import CAME_TO_NOTHING, OPEN_PAYMENT
from services.payment_states import Cause
from services.psp import Psp
from services.psp_outcomes import (
    ActionRequired,
    Authorised,
    Captured,
    ChargeOutcome,
    Declined,
    Pending,
    PspIntent,
)
from services.refunding import take_in_refund
from services.settlement import settle
from services.stock import sell
from services.surplus import release_hold, return_charge

OVERLAP_S = 8
DEEP_OVERLAP_S = 60
DEEP_EVERY = 10
GRACE_S = 3.0
"""A charge that we do not know is given that long, by our own clock, to turn up in our database."""

MOST_WATCHED = 1000
CAUSE = Cause("sweep")


class Sweep:
    """One pass over one PSP. Its position is stored, so that a restarted worker goes on from there."""

    def __init__(self, db: Database, psp: Psp) -> None:
        self._db = db
        self._psp = psp
        self._passes = 0
        self._seen_at: dict[str, float] = {}
        self._watched: set[str] = set()

    async def run_once(self) -> None:
        """Raises StripeError, NotSent or DatabaseUnavailable; then the position stays and the next pass repeats it."""
        overlap_s = DEEP_OVERLAP_S if self._passes % DEEP_EVERY == 0 else OVERLAP_S
        await self._compare_charges(overlap_s)
        await self._compare_refunds(overlap_s)
        self._passes += 1

    async def look_at(self, psp_payment: str) -> None:
        """Compare one charge, whenever it was recorded. Raises as `run_once`."""
        await self._compare([await self._psp.retrieve_intent(psp_payment)])

    async def _compare_charges(self, overlap_s: int) -> None:
        reached = await self._position("charges")
        newest = reached
        async for page in self._psp.charges_since(max(0, reached - overlap_s)):
            await self._compare(page)
            newest = max(newest, max(intent.created_s for intent in page))
        for psp_payment in list(self._watched):
            await self.look_at(psp_payment)
        await self._advance("charges", reached, newest)

    async def _compare_refunds(self, overlap_s: int) -> None:
        reached = await self._position("refunds")
        newest = reached
        async for page in self._psp.refunds.since(max(0, reached - overlap_s)):
            async with self._db.connection() as connection:
                known = await connection.fetch(
                    """SELECT psp_id FROM refunds WHERE psp_id = ANY($1) AND state IN ('succeeded', 'failed')
                       AND (state = 'failed' OR psp_id <> ALL($2))""",
                    [refund.psp_id for refund in page],
                    [refund.psp_id for refund in page if refund.status in ("failed", "canceled")],
                )  # fmt: skip
            settled = {row["psp_id"] for row in known}
            for refund in page:
                if refund.psp_id not in settled:
                    async with self._db.transaction() as tx:
                        await take_in_refund(tx, refund, self._psp.name, CAUSE)
            newest = max(newest, max(refund.created_s for refund in page))
        await self._advance("refunds", reached, newest)

    async def _position(self, what: str) -> int:
        async with self._db.connection() as connection:
            return (
                await connection.fetchval(
                    "SELECT watermark FROM sweep_position WHERE name = $1", f"{self._psp.name}:{what}"
                )
                or 0
            )

    async def _advance(self, what: str, reached: int, newest: int) -> None:
        if newest <= reached:
            return
        async with self._db.connection() as connection:
            await connection.execute(
                """INSERT INTO sweep_position (name, watermark) VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET watermark = greatest(sweep_position.watermark, excluded.watermark)""",
                f"{self._psp.name}:{what}", newest,
            )  # fmt: skip

    async def _compare(self, page: Sequence[PspIntent]) -> None:
        async with self._db.connection() as connection:
            rows = await connection.fetch(
                """SELECT p.id, p.order_id, p.state, p.psp, p.psp_id FROM payments p WHERE p.id = ANY($1)
                   UNION SELECT p.id, p.order_id, p.state, p.psp, p.psp_id FROM payments p WHERE p.psp_id = ANY($2)""",
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
            self._watched.discard(intent.psp_id)
            if intent.psp_id not in done:
                ours = by_psp_id.get(intent.psp_id) or by_id.get(intent.payment_id)
                await self._judge(intent, ours)

    async def _judge(self, intent: PspIntent, ours: Row | None) -> None:
        outcome = intent.outcome()
        is_its_own = (
            ours is not None and ours["psp"] == self._psp.name and ours["psp_id"] in (None, intent.psp_id)
        )
        if isinstance(outcome, Pending | ActionRequired) and not is_its_own:
            if len(self._watched) < MOST_WATCHED:
                self._watched.add(intent.psp_id)
        elif ours is None:
            await self._judge_stranger(intent, outcome)
        elif is_its_own:
            await self._judge_own(intent, outcome, ours)
        elif isinstance(outcome, Captured):
            async with self._db.transaction() as tx:
                await return_charge(tx, outcome, self._psp.name, ours["order_id"], CAUSE.name)
        elif isinstance(outcome, Authorised):
            await self._release(intent, outcome)

    async def _judge_own(self, intent: PspIntent, outcome: ChargeOutcome, ours: Row) -> None:
        came_to_nothing = ours["state"] in CAME_TO_NOTHING
        if came_to_nothing and isinstance(outcome, Authorised):
            await self._release(intent, outcome)
            return
        is_open = ours["state"] in OPEN_PAYMENT
        charged = isinstance(outcome, Captured) and (is_open or came_to_nothing)
        if charged or (is_open and isinstance(outcome, Declined)):
            async with self._db.transaction() as tx:
                await settle(tx, ours["id"], outcome, CAUSE)

    async def _judge_stranger(self, intent: PspIntent, outcome: ChargeOutcome) -> None:
        if isinstance(outcome, Captured | Authorised) and not self._is_stray(intent.psp_id):
            self._watched.add(intent.psp_id)
        elif isinstance(outcome, Captured):
            async with self._db.transaction() as tx:
                await _take_in_stray(tx, intent, outcome, self._psp.name)
        elif isinstance(outcome, Authorised):
            await self._release(intent, outcome)

    async def _release(self, intent: PspIntent, hold: Authorised) -> None:
        async with self._db.transaction() as tx:
            order_id = await tx.fetchval("SELECT id FROM orders WHERE id = $1", intent.order_id)
            await release_hold(tx, hold, self._psp.name, order_id, CAUSE.name)

    def _is_stray(self, psp_id: str) -> bool:
        """Whether we have not known of the charge for long enough."""
        now = time.monotonic()
        return now - self._seen_at.setdefault(psp_id, now) >= GRACE_S


async def _take_in_stray(tx: Connection, intent: PspIntent, charge: Captured, psp: str) -> None:
    """Attach the charge to the order that waits for exactly it, else give it back."""
    order = await tx.fetchrow(
        "SELECT id, state, total, currency, pay_attempt FROM orders WHERE id = $1 FOR UPDATE", intent.order_id
    )
    live = order and await tx.fetchval(
        "SELECT true FROM payments WHERE order_id = $1 AND state <> ALL($2)",
        order["id"], list(CAME_TO_NOTHING),
    )  # fmt: skip
    if (
        order is None
        or live
        or order["state"] not in ("reserved", "payment_pending")
        or (charge.amount, charge.currency) != (order["total"], order["currency"])
    ):
        await return_charge(tx, charge, psp, order and order["id"], CAUSE.name)
        return
    await _attach(tx, order, intent, charge, psp)


async def _attach(tx: Connection, order: Row, intent: PspIntent, charge: Captured, psp: str) -> None:
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
           INSERT INTO payments (id, order_id, attempt, amount, currency, token, state, psp, psp_id, psp_key, next_check_at)
           VALUES ($1, $2, $3, $4, $5, '', 'captured', $8, $6, $1 || ':attached', clock_timestamp())""",
        payment_id, order["id"], attempt, charge.amount, charge.currency, charge.psp_id, CAUSE.name, psp,
    )  # fmt: skip
    posting = capture_of_order(charge.psp_id, charge.amount, charge.currency, psp, order["id"], CAUSE.name)
    await post(tx, posting)
    version = await move_order(tx, order["id"], "payment_pending", "paid", CAUSE.name, payment_id)
    paid = {"order": order["id"], "amount": charge.amount, "currency": charge.currency}
    await announce(tx, order["id"], ORDER_PAID, version, paid)
    await sell(tx, order["id"])
    refs = {"psp_payment": charge.psp_id, "order": order["id"], "payment": payment_id}
    await report(
        tx, "charge_without_order", charge.psp_id, psp, refs, charge.amount, charge.currency, how="attached"
    )
    log("stray_charge_attached", order=order["id"], psp_payment=charge.psp_id)
