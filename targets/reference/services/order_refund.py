"""Giving a customer money back: the refund is written down under the order's lock, payments execute it."""

from __future__ import annotations

from pydantic import Field

from services.answers import Answer, Refusal, not_found, state_conflict
from services.database import Connection
from services.fields import MAX_AMOUNT, CurrencyCode, FreeText
from services.ids import new_id
from services.money import step_of
from services.order_states import REFUNDABLE, move_order
from services.order_view import OWNED_BY, order_by_id
from services.redact import without_card_numbers
from services.web import Body


class RefundOrder(Body):
    amount: int = Field(gt=0, le=MAX_AMOUNT)
    currency: CurrencyCode | None = None
    reason: FreeText = Field(default="requested_by_customer", max_length=200)
    refund_ref: str | None = Field(default=None, pattern="^[!-~]{1,64}$")


async def begin_refund(
    tx: Connection, customer: str | None, order_id: str, wish: RefundOrder, cause: str, lease_s: float
) -> str:
    """The id of the refund, which will be made: a new one, or the one that this refund_ref has.

    Raises Refusal; then nothing is given back.
    """
    order = await tx.fetchrow(
        f"SELECT state, currency FROM orders WHERE id = $1 AND {OWNED_BY} FOR UPDATE", order_id, customer
    )
    if order is None:
        raise not_found()
    if wish.refund_ref is not None and (known := await _known(tx, order_id, wish.refund_ref, wish.amount)):
        return known
    if order["state"] not in REFUNDABLE:
        raise state_conflict(f"the order is {order['state']}")
    currency = order["currency"]
    if wish.currency not in (None, currency):
        raise state_conflict(f"the order was paid in {currency}")
    if wish.amount % step_of(currency):
        raise Refusal(422, "amount_invalid", f"amounts in {currency} are multiples of {step_of(currency)}")
    refund_id = await _write_down(tx, order_id, currency, wish, lease_s)
    if order["state"] != "refund_pending":
        await move_order(tx, order_id, order["state"], "refund_pending", cause, refund_id)
    return refund_id


async def _known(tx: Connection, order_id: str, refund_ref: str, amount: int) -> str | None:
    """The refund that was asked for by that name. Raises Refusal 409 if it was of another amount."""
    row = await tx.fetchrow(
        "SELECT refund_id, amount FROM refund_refs WHERE order_id = $1 AND refund_ref = $2",
        order_id, refund_ref,
    )  # fmt: skip
    if row is None:
        return None
    if row["amount"] != amount:
        raise state_conflict("this refund_ref belongs to a refund of another amount")
    return str(row["refund_id"])


async def _write_down(tx: Connection, order_id: str, currency: str, wish: RefundOrder, lease_s: float) -> str:
    """Raises Refusal 409 where less is left of the payment."""
    payment = await tx.fetchrow(
        """SELECT p.id, p.psp_id, p.amount, count(r.id) AS refunds,
                  coalesce(sum(r.amount) FILTER (WHERE r.state <> 'failed'), 0)::bigint AS asked
           FROM payments p LEFT JOIN refunds r ON r.payment_id = p.id
           WHERE p.order_id = $1 AND p.state IN ('captured', 'partially_refunded') GROUP BY p.id""",
        order_id,
    )
    if payment is None or payment["asked"] + wish.amount > payment["amount"]:
        raise state_conflict("that is more than is left of the payment")
    refund_id = new_id("rf")
    await tx.execute(
        """WITH history AS (INSERT INTO refund_history (refund_id, seq, from_state, to_state, cause)
                            VALUES ($1, 1, '', 'requested', 'api')),
                named AS (INSERT INTO refund_refs (order_id, refund_ref, refund_id, amount)
                          SELECT $2, $10, $1, $5 WHERE $10::text IS NOT NULL)
           INSERT INTO refunds (id, kind, order_id, payment_id, psp_payment, amount, currency, reason, state, psp_key,
                                next_check_at)
           VALUES ($1, 'customer', $2, $3, $4, $5, $6, $7, 'requested', $8,
                   clock_timestamp() + make_interval(secs => $9))""",
        refund_id, order_id, payment["id"], payment["psp_id"], wish.amount, currency,
        without_card_numbers(wish.reason), f"{payment['id']}:refund:{payment['refunds'] + 1}", lease_s,
        wish.refund_ref,
    )  # fmt: skip
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
