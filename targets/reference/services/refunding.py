"""What follows from what the PSP has done with a refund: one that we asked for, or one of its own."""

from __future__ import annotations

from dataclasses import replace

from services.breaks import report, resolve
from services.database import Connection
from services.ledger import CLEARING, Posting, post
from services.log import log
from services.order_states import move_order
from services.outbox import ORDER_PAID, Event
from services.payment_metrics import REFUND_MOVES
from services.payment_rows import OPEN_REFUND, REFUND_COLUMNS, Refund
from services.payment_states import Cause, Locked, lock_payment
from services.psp_outcomes import (
    AlreadyRefunded,
    Captured,
    NotExecuted,
    Pending,
    Refunded,
    RefundOutcome,
)
from services.surplus import return_charge

SURPLUS = ("surplus_charge", "charge_without_order", "surplus_hold")


async def take_refund(tx: Connection, refund_id: str, lease_s: float) -> Refund | None:
    """The refund, to be made by the caller during its lease; None if it is settled or does not exist."""
    row = await tx.fetchrow(
        f"""UPDATE refunds SET next_check_at = clock_timestamp() + make_interval(secs => $2)
            WHERE id = $1 AND state IN ('requested', 'submitted', 'unknown', 'pending') RETURNING {REFUND_COLUMNS}""",
        refund_id, lease_s,
    )  # fmt: skip
    if row is None:
        return None
    if row["state"] == "requested":
        await _move_refund(tx, refund_id, "requested", "submitted", Cause("request"))
    return Refund.of(row)


async def settle_refund(tx: Connection, refund_id: str, outcome: RefundOutcome, cause: Cause) -> str:
    """Take in what is known now; the refund's state after it."""
    paid = await _lock_paid(tx, refund_id)
    row = await tx.fetchrow(f"SELECT {REFUND_COLUMNS} FROM refunds WHERE id = $1 FOR UPDATE", refund_id)
    refund = Refund.of(row)
    new = _next_state(refund.kind, outcome)
    if refund.state == "succeeded" and new == "failed" and isinstance(outcome, NotExecuted):
        await _came_back(tx, refund, paid, outcome.code, cause)
        return "failed"
    too_early = new == "succeeded" and paid is not None and paid.is_open
    if refund.state not in OPEN_REFUND or refund.state == new or too_early:
        return refund.state
    psp_id = outcome.psp_id if isinstance(outcome, Refunded | Pending) else None
    await _move_refund(tx, refund.id, refund.state, new, cause, psp_id)
    REFUND_MOVES.labels(refund.kind, new, cause.name).inc()
    log("refund", refund=refund.id, order=refund.order_id, to=new, cause=cause.name)
    if isinstance(outcome, Refunded) and refund.kind != "release":
        await post(tx, _posting(f"refund:{outcome.psp_id}", refund, paid, cause))
    if new == "succeeded":
        await _succeeded(tx, refund, paid, cause)
    if new == "failed":
        await _failed(tx, refund, paid, cause)
    return new


async def _succeeded(tx: Connection, refund: Refund, paid: Locked | None, cause: Cause) -> None:
    if refund.kind in ("surplus", "release"):
        await resolve(tx, SURPLUS, refund.psp_payment, "released" if refund.kind == "release" else "refunded")
    if paid is not None and paid.holds_money:
        await _book(tx, paid, refund, cause)


async def _failed(tx: Connection, refund: Refund, paid: Locked | None, cause: Cause) -> None:
    """People are told. What the customer must not be without is asked for again."""
    refs = {"refund": refund.id, "psp_payment": refund.psp_payment, "order": refund.order_id}
    await report(tx, "refund_failed", refund.id, refund.psp, refs, refund.amount, refund.currency)
    if refund.kind == "surplus":
        charge = Captured(refund.psp_payment, refund.amount, refund.currency)
        await return_charge(tx, charge, refund.psp, refund.order_id, cause.name)
    if paid is not None:
        await _go_on_without(tx, paid, refund, cause)


def _next_state(kind: str, outcome: RefundOutcome) -> str:
    match outcome:
        case Refunded():
            return "succeeded"
        case AlreadyRefunded():
            # A surplus charge is to be empty, whoever emptied it; a customer's refund was not this one.
            return "succeeded" if kind == "surplus" else "failed"
        case Pending():
            return "pending"
        case NotExecuted():
            return "failed"
    return "unknown"


async def _lock_paid(tx: Connection, refund_id: str) -> Locked | None:
    """What the refund is of, with its order; None for what was never a payment of ours."""
    payment_id = await tx.fetchval("SELECT payment_id FROM refunds WHERE id = $1", refund_id)
    return await lock_payment(tx, payment_id) if payment_id is not None else None


def _posting(ref: str, refund: Refund, paid: Locked | None, cause: Cause) -> Posting:
    """Money that leaves us. What no order may keep was never revenue."""
    account = "refunds" if paid is not None and paid.holds_money else "suspense"
    return Posting(
        ref, account, CLEARING, refund.amount, refund.currency, refund.psp, refund.order_id, cause.name
    )


async def _book(tx: Connection, paid: Locked, refund: Refund, cause: Cause) -> None:
    """The payment and the order show what has been given back."""
    refunded = paid.refunded + refund.amount
    new = "refunded" if refunded == paid.amount else "partially_refunded"
    await _show_refunded(tx, paid, refunded, new, cause, refund.id)
    if paid.order_state in ("paid", "fulfilled", "partially_refunded"):
        await move_order(tx, paid.order_id, paid.order_state, "refund_pending", cause.name, refund.id)
    elif paid.order_state != "refund_pending":
        return
    if not await _others_under_way(tx, paid):
        await _finish_order(tx, paid, refunded, new, cause, refund.id)


async def _finish_order(
    tx: Connection, order: Locked, refunded: int, new: str, cause: Cause, refund_id: str
) -> None:
    event = Event.refunded(order.order_id, refunded, order.currency)
    await move_order(tx, order.order_id, "refund_pending", new, cause.name, refund_id, event)


async def _go_on_without(tx: Connection, paid: Locked, refund: Refund, cause: Cause) -> None:
    """The PSP has refused a refund: the order is what it is without it. Whoever asked is told, people see the break."""
    if paid.order_state != "refund_pending":
        return
    if paid.refunded == paid.amount:
        await _finish_order(tx, paid, paid.refunded, "refunded", cause, refund.id)
        return
    if await _others_under_way(tx, paid):
        return
    state = "partially_refunded" if paid.refunded else await _before_refunds(tx, paid.order_id)
    await move_order(tx, paid.order_id, "refund_pending", state, cause.name, refund.id)


async def _before_refunds(tx: Connection, order_id: str) -> str:
    sent = await tx.fetchval(
        "SELECT sent_at IS NOT NULL FROM outbox WHERE order_id = $1 AND kind = $2", order_id, ORDER_PAID
    )
    return "fulfilled" if sent else "paid"


async def _others_under_way(tx: Connection, paid: Locked) -> bool:
    return bool(
        await tx.fetchval(
            """SELECT EXISTS (SELECT 1 FROM refunds WHERE payment_id = $1
                              AND state IN ('requested', 'submitted', 'unknown', 'pending'))""",
            paid.payment_id,
        )
    )


async def _came_back(tx: Connection, refund: Refund, paid: Locked | None, code: str, cause: Cause) -> None:
    """A refund that had succeeded has failed after all: the money is with the PSP again."""
    await _move_refund(tx, refund.id, "succeeded", "failed", cause)
    log("refund_came_back", refund=refund.id, order=refund.order_id, why=code)
    left = _posting(f"refund_failed:{refund.psp_id}", refund, paid, cause)
    await post(tx, replace(left, debit=left.credit, credit=left.debit))
    if paid is not None and paid.holds_money:
        refunded = paid.refunded - refund.amount
        new = "partially_refunded" if refunded else "captured"
        await _show_refunded(tx, paid, refunded, new, cause, refund.id)
        if paid.order_state in ("refunded", "partially_refunded"):
            await move_order(tx, paid.order_id, paid.order_state, "refund_pending", cause.name, refund.id)
            paid = replace(paid, order_state="refund_pending")
        paid = replace(paid, refunded=refunded)
    await _failed(tx, refund, paid, cause)


async def _show_refunded(
    tx: Connection, payment: Locked, refunded: int, new: str, cause: Cause, refund_id: str
) -> None:
    """A payment that was charged back stays so."""
    shown = payment.state if payment.state == "charged_back" else new
    await tx.execute(
        """WITH moved AS (UPDATE payments SET refunded = $2, state = $3, version = version + 1,
                              changed_at = clock_timestamp() WHERE id = $1 RETURNING id, version)
           INSERT INTO payment_history (payment_id, seq, from_state, to_state, cause, cause_ref)
           SELECT id, version, $4, $3, $5, $6 FROM moved""",
        payment.payment_id, refunded, shown, payment.state, cause.name, refund_id,
    )  # fmt: skip


async def _move_refund(
    tx: Connection, refund_id: str, old: str, new: str, cause: Cause, psp_id: str | None = None
) -> None:
    await tx.execute(
        """WITH moved AS (UPDATE refunds SET state = $3, psp_id = coalesce(psp_id, $4), version = version + 1, checks = 0
                          WHERE id = $1 AND state = $2 RETURNING id, version)
           INSERT INTO refund_history (refund_id, seq, from_state, to_state, cause, cause_ref)
           SELECT id, version, $2, $3, $5, $6 FROM moved""",
        refund_id, old, new, psp_id, cause.name, cause.ref,
    )  # fmt: skip
