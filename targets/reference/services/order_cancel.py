"""Cancelling an order that no money stands behind."""

from __future__ import annotations

from pydantic import Field

from services.answers import Answer, not_found, state_conflict
from services.database import Connection
from services.fields import FreeText
from services.order_states import move_order
from services.order_view import OWNED_BY, order_by_id
from services.stock import release
from services.web import Body


class CancelOrder(Body):
    reason: FreeText | None = Field(default=None, max_length=200)


async def cancel_order(tx: Connection, customer: str | None, order_id: str, cause: str) -> Answer:
    """200. Raises Refusal 409 while a payment is under way or has been made: that one is refunded instead."""
    order = await tx.fetchrow(
        f"SELECT state, pay_attempt FROM orders WHERE id = $1 AND {OWNED_BY} FOR UPDATE", order_id, customer
    )
    if order is None:
        raise not_found()
    if order["state"] != "cancelled":
        if not await _is_cancellable(tx, order_id, order["state"], order["pay_attempt"]):
            raise state_conflict(f"the order is {order['state']}")
        await move_order(tx, order_id, order["state"], "cancelled", cause)
    view = await order_by_id(tx, order_id)
    await release(tx, order_id)
    return Answer.of(200, view)


async def _is_cancellable(tx: Connection, order_id: str, state: str, attempt: int) -> bool:
    """An attempt that no payments node has written down cannot begin any more: that needs the order's lock."""
    if state != "payment_pending":
        return state in ("created", "reserved", "payment_failed")
    return not await tx.fetchval(
        "SELECT EXISTS (SELECT 1 FROM payments WHERE order_id = $1 AND attempt = $2)", order_id, attempt
    )
