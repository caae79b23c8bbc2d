"""The states of an order, and the only functions that change one.

`reserved`: its stock is set aside. `created`: it is not, or not any more; paying reserves again.
`under_review`: money is held or in question and people decide.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.answers import state_conflict
from services.database import Connection
from services.metrics import ORDER_MOVES
from services.outbox import Event

PAYABLE = ("created", "reserved", "payment_failed")
PAID = ("paid", "fulfilled", "refund_pending", "partially_refunded", "refunded")
REFUNDABLE = ("paid", "fulfilled", "refund_pending", "partially_refunded")

ALLOWED = {
    "created": {"reserved", "cancelled"},
    "reserved": {"payment_pending", "created", "cancelled"},
    "payment_pending": {"paid", "payment_failed", "under_review", "cancelled"},
    "payment_failed": {"payment_pending", "cancelled"},
    "under_review": {"paid", "payment_failed", "refund_pending"},
    "paid": {"fulfilled", "refund_pending"},
    "fulfilled": {"refund_pending"},
    # Back to what it was when the PSP has refused the refund and nothing has been given back.
    "refund_pending": {"paid", "fulfilled", "partially_refunded", "refunded", "under_review"},
    "partially_refunded": {"refund_pending"},
    # A refund that had succeeded may fail days later.
    "refunded": {"refund_pending"},
}


async def move_order(
    tx: Connection,
    order_id: str,
    old: str,
    new: str,
    cause: str,
    cause_ref: str | None = None,
    event: Event | None = None,
) -> None:
    """Change the state, with its history row and the event that tells others. Raises Refusal if it is not in `old`.

    The order's version after the change orders the events of one order.
    """
    if new not in ALLOWED.get(old, ()):
        raise state_conflict(f"an order cannot go from {old} to {new}")
    moved = await tx.fetchval(
        """WITH moved AS (UPDATE orders SET state = $3, version = version + 1, updated_at = clock_timestamp()
                          WHERE id = $1 AND state = $2 RETURNING id, version),
                told AS (INSERT INTO outbox (event_ref, order_id, kind, seq, payload)
                         SELECT id || ':' || version, id, $6, version, $7 FROM moved WHERE $6::text IS NOT NULL)
           INSERT INTO order_history (order_id, seq, from_state, to_state, cause, cause_ref)
           SELECT id, version, $2, $3, $4, $5 FROM moved RETURNING true""",
        order_id, old, new, cause, cause_ref, event and event.kind, event and event.payload,
    )  # fmt: skip
    if not moved:
        raise state_conflict(f"the order is not {old} any more")
    ORDER_MOVES.labels(new, cause).inc()


async def move_those_in(tx: Connection, old: str, new: str, cause: str, refs: Mapping[str, str]) -> None:
    """The same for many orders at once, each with the reference of its cause; those not in `old` stay as they are."""
    assert new in ALLOWED[old]
    moved = await tx.fetch(
        """WITH locked AS (SELECT id FROM orders WHERE id = ANY($1) AND state = $3 ORDER BY id FOR UPDATE),
                moved AS (UPDATE orders SET state = $4, version = version + 1, updated_at = clock_timestamp()
                          FROM locked WHERE orders.id = locked.id RETURNING orders.id, orders.version)
           INSERT INTO order_history (order_id, seq, from_state, to_state, cause, cause_ref)
           SELECT id, version, $3, $4, $5, ref FROM moved JOIN unnest($1::text[], $2::text[]) AS r (id, ref) USING (id)
           RETURNING true""",
        list(refs.keys()), list(refs.values()), old, new, cause,
    )  # fmt: skip
    ORDER_MOVES.labels(new, cause).inc(len(moved))
