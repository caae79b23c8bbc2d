"""Chargebacks: the PSP has taken the money back for the customer's bank. Nobody asks us; we book it.

One that comes before we know its charge waits in its table until the reconciler can book it.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.database import Connection, Row
from services.ledger import CLEARING, Posting, post
from services.log import log
from services.order_states import move_order
from services.outbox import Event
from services.payment_states import Cause, Locked, lock_payment, move_payment

BATCH = 50


@dataclass(frozen=True)
class PspDispute:
    """The PSP's own record of a chargeback."""

    psp_id: str
    psp_payment: str
    amount: int
    currency: str


async def take_in_dispute(tx: Connection, found: PspDispute, cause: Cause) -> str:
    """Once for each; the payment's state after it, or `none` while its charge is not known to us."""
    await tx.execute(
        """INSERT INTO disputes (id, psp_payment, amount, currency, cause) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT DO NOTHING""",
        found.psp_id, found.psp_payment, found.amount, found.currency, cause.name,
    )  # fmt: skip
    payment_id = await tx.fetchval("SELECT id FROM payments WHERE psp_id = $1", found.psp_payment)
    if payment_id is None:
        return "none"
    locked = await lock_payment(tx, payment_id)
    if not locked.holds_money:
        return locked.state
    fresh = await tx.fetchval(
        "UPDATE disputes SET booked_at = clock_timestamp() WHERE id = $1 AND booked_at IS NULL RETURNING true",
        found.psp_id,
    )
    if fresh:
        await _book(tx, locked, found, cause)
    return "charged_back"


async def book_waiting(tx: Connection, cause: Cause) -> None:
    """Those whose charge has become known meanwhile, or was never to become an order's."""
    rows = await tx.fetch(
        """SELECT d.id, d.psp_payment, d.amount, d.currency, r.psp AS surplus_at, r.order_id
           FROM disputes d LEFT JOIN refunds r ON r.psp_payment = d.psp_payment AND r.kind = 'surplus' AND r.state <> 'failed'
           WHERE d.booked_at IS NULL ORDER BY d.told_at LIMIT $1""",
        BATCH,
    )
    for row in rows:
        found = PspDispute(row["id"], row["psp_payment"], row["amount"], row["currency"])
        if row["surplus_at"] is not None:
            await _book_surplus(tx, found, row, cause)
        else:
            await take_in_dispute(tx, found, cause)


async def _book(tx: Connection, locked: Locked, found: PspDispute, cause: Cause) -> None:
    """The customer has the money: for the order that is a refund, of which we were not asked."""
    ref = Cause(cause.name, found.psp_id)
    posting = _posting(found, locked.psp, locked.order_id, cause)
    if locked.state == "charged_back":
        await post(tx, posting)
        return
    await move_payment(tx, locked, "charged_back", ref, posting=posting)
    log("charged_back", payment=locked.payment_id, order=locked.order_id, dispute=found.psp_id)
    state = locked.order_state
    if state in ("paid", "fulfilled", "partially_refunded"):
        await move_order(tx, locked.order_id, state, "refund_pending", "chargeback", found.psp_id)
        state = "refund_pending"
    if state != "refund_pending":
        return
    event = Event.refunded(locked.order_id, locked.amount, locked.currency)
    await move_order(tx, locked.order_id, state, "refunded", "chargeback", found.psp_id, event)


async def _book_surplus(tx: Connection, found: PspDispute, surplus: Row, cause: Cause) -> None:
    """Of a charge that was to be given back anyway."""
    await post(tx, _posting(found, surplus["surplus_at"], surplus["order_id"], cause))
    await tx.execute("UPDATE disputes SET booked_at = clock_timestamp() WHERE id = $1", found.psp_id)


def _posting(found: PspDispute, psp: str, order_id: str | None, cause: Cause) -> Posting:
    return Posting(
        f"chargeback:{found.psp_id}",
        "chargebacks",
        CLEARING,
        found.amount,
        found.currency,
        psp,
        order_id,
        cause.name,
    )
