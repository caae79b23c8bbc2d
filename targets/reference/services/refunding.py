"""What follows from what the PSP has done with a refund."""

from __future__ import annotations

from services.database import Connection, Row
from services.log import log
from services.order_states import move_order
from services.outbox import ORDER_REFUNDED, announce
from services.payment_rows import OPEN_REFUND, REFUND_COLUMNS, Refund
from services.psp_outcomes import AlreadyRefunded, NotExecuted, Pending, Refunded, RefundOutcome
from services.settlement import Cause


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
    order = await tx.fetchrow(
        """SELECT id, state, total, currency FROM orders
           WHERE id = (SELECT order_id FROM refunds WHERE id = $1) FOR UPDATE""",
        refund_id,
    )
    refund = await tx.fetchrow(
        "SELECT id, kind, payment_id, amount, state FROM refunds WHERE id = $1 FOR UPDATE", refund_id
    )
    old, kind = refund["state"], refund["kind"]
    new = _next_state(kind, outcome)
    if old not in OPEN_REFUND or old == new:
        return str(old)
    psp_id = outcome.psp_id if isinstance(outcome, Refunded | Pending) else None
    await _move_refund(tx, refund_id, old, new, cause, psp_id)
    log("refund", refund=refund_id, order=order and order["id"], to=new, cause=cause.name)
    if kind == "customer" and new == "succeeded":
        await _book(tx, order, refund, cause)
    elif kind == "customer" and new == "failed" and order["state"] == "refund_pending":
        await move_order(tx, order["id"], "refund_pending", "under_review", cause.name, refund_id)
    return new


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


async def _book(tx: Connection, order: Row, refund: Row, cause: Cause) -> None:
    """The payment and the order show what has been given back."""
    payment = await tx.fetchrow(
        "SELECT state, amount, refunded FROM payments WHERE id = $1 FOR UPDATE", refund["payment_id"]
    )
    refunded = payment["refunded"] + refund["amount"]
    new = "refunded" if refunded == payment["amount"] else "partially_refunded"
    await tx.execute(
        """WITH moved AS (UPDATE payments SET refunded = $2, state = $3, version = version + 1
                          WHERE id = $1 RETURNING id, version)
           INSERT INTO payment_history (payment_id, seq, from_state, to_state, cause, cause_ref)
           SELECT id, version, $4, $3, $5, $6 FROM moved""",
        refund["payment_id"], refunded, new, payment["state"], cause.name, refund["id"],
    )  # fmt: skip
    others = await tx.fetchval(
        """SELECT count(*) FROM refunds WHERE order_id = $1 AND kind = 'customer'
           AND state IN ('requested', 'submitted', 'unknown', 'pending')""",
        order["id"],
    )
    if order["state"] != "refund_pending" or others:
        return
    version = await move_order(tx, order["id"], "refund_pending", new, cause.name, refund["id"])
    told = {"order": order["id"], "refunded": refunded, "currency": order["currency"]}
    await announce(tx, order["id"], ORDER_REFUNDED, version, told)


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
