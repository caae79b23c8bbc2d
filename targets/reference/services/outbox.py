"""Events for other systems, written in the transaction that they tell of; relay.py sends them."""

from __future__ import annotations

from collections.abc import Mapping

from services.answers import to_json
from services.database import Connection

ORDER_PAID = "order.paid"
ORDER_REFUNDED = "order.refunded"


async def announce(tx: Connection, order_id: str, kind: str, seq: int, payload: Mapping[str, object]) -> None:
    """`seq` is the order's version after the change: it orders the events of one order."""
    await tx.execute(
        "INSERT INTO outbox (event_ref, order_id, kind, seq, payload) VALUES ($1, $2, $3, $4, $5)",
        f"{order_id}:{seq}", order_id, kind, seq, to_json(payload),
    )  # fmt: skip
