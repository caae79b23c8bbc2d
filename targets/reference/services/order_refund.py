"""Giving a customer money back: the refund is written down under the order's lock, payments execute it."""

from __future__ import annotations

from pydantic import Field

from services.answers import Answer, not_found, state_conflict
from services.database import Connection
from services.ids import new_id
from services.order_states import REFUNDABLE, move_order
from services.order_view import order_by_id
from services.web import Body


class RefundOrder(Body):
    amount: int = Field(gt=0)
    currency: str | None = Field(default=None, pattern="^[A-Z]{3}$")
    reason: str = Field(default="requested_by_customer", max_length=200)


async def begin_refund(
    tx: Connection, customer: str, order_id: str, wish: RefundOrder, lease_s: float
) -> str:
    """The new refund's id; it will be made. Raises Refusal; then nothing is given back."""
    order = await tx.fetchrow(
        "SELECT state, currency FROM orders WHERE id = $1 AND customer = $2 FOR UPDATE", order_id, customer
    )
    if order is None:
        raise not_found()
    if order["state"] not in REFUNDABLE:
        raise state_conflict(f"the order is {order['state']}")
    if wish.currency not in (None, order["currency"]):
        raise state_conflict(f"the order was paid in {order['currency']}")
    payment = await tx.fetchrow(
        """SELECT p.id, p.psp_id, p.amount, count(r.id) AS refunds,
                  coalesce(sum(r.amount) FILTER (WHERE r.state <> 'failed'), 0)::bigint AS asked
           FROM payments p LEFT JOIN refunds r ON r.payment_id = p.id AND r.kind = 'customer'
           WHERE p.order_id = $1 AND p.state IN ('captured', 'partially_refunded') GROUP BY p.id""",
        order_id,
    )
    if payment is None or payment["asked"] + wish.amount > payment["amount"]:
        raise state_conflict("that is more than is left of the payment")
    refund_id = new_id("rf")
    await tx.execute(
        """WITH history AS (INSERT INTO refund_history (refund_id, seq, from_state, to_state, cause)
                            VALUES ($1, 1, '', 'requested', 'api'))
           INSERT INTO refunds (id, kind, order_id, payment_id, psp_payment, amount, currency, reason, state, psp_key,
                                next_check_at)
           VALUES ($1, 'customer', $2, $3, $4, $5, $6, $7, 'requested', $8,
                   clock_timestamp() + make_interval(secs => $9))""",
        refund_id, order_id, payment["id"], payment["psp_id"], wish.amount, order["currency"], wish.reason,
        f"{payment['id']}:refund:{payment['refunds'] + 1}", lease_s,
    )  # fmt: skip
    if order["state"] != "refund_pending":
        await move_order(tx, order_id, order["state"], "refund_pending", "api", refund_id)
    return refund_id


async def refund_answer(tx: Connection, refund_id: str) -> Answer:
    """200 refunded, 202 under way, 409 when the PSP has definitely refused it."""
    refund = await tx.fetchrow("SELECT order_id, state, amount FROM refunds WHERE id = $1", refund_id)
    view = await order_by_id(tx, refund["order_id"])
    told = {**view, "refund": {"id": refund_id, "status": refund["state"], "amount": refund["amount"]}}
    if refund["state"] == "succeeded":
        return Answer.of(200, told)
    if refund["state"] == "failed":
        error = {"code": "refund_refused", "message": "the refund was refused; support has been told"}
        return Answer.of(409, {**told, "error": error})
    return Answer.of(202, told)
