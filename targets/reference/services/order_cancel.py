"""Cancelling an order that no money stands behind."""

from __future__ import annotations

from services.answers import Answer, not_found, state_conflict
from services.database import Connection
from services.order_states import move_order
from services.order_view import order_by_id
from services.stock import release
from services.web import Body


class CancelOrder(Body):
    reason: str | None = None


async def cancel_order(tx: Connection, customer: str, order_id: str) -> Answer:
    """200. Raises Refusal 409 while a payment is under way or has been made: that one is refunded instead."""
    state = await tx.fetchval(
        "SELECT state FROM orders WHERE id = $1 AND customer = $2 FOR UPDATE", order_id, customer
    )
    if state is None:
        raise not_found()
    if state in ("created", "payment_failed"):
        await move_order(tx, order_id, state, "cancelled", "api")
    elif state != "cancelled":
        raise state_conflict(f"the order is {state}")
    view = await order_by_id(tx, order_id)
    await release(tx, order_id)
    return Answer.of(200, view)
