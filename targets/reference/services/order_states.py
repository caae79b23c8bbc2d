"""The states of an order, and the only function that changes one.

`reserved`: its stock is set aside. `created`: it is not, or not any more; paying reserves again.
`under_review`: money is held or in question and people decide.
"""

from __future__ import annotations

from services.answers import state_conflict
from services.database import Connection
from services.metrics import ORDER_MOVES

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
    tx: Connection, order_id: str, old: str, new: str, cause: str, cause_ref: str | None = None
) -> int:
    """Change the state and write its history row; the new version. Raises Refusal if it is not in `old`."""
    if new not in ALLOWED.get(old, ()):
        raise state_conflict(f"an order cannot go from {old} to {new}")
    version: int | None = await tx.fetchval(
        """WITH moved AS (UPDATE orders SET state = $3, version = version + 1, updated_at = clock_timestamp()
                          WHERE id = $1 AND state = $2 RETURNING id, version)
           INSERT INTO order_history (order_id, seq, from_state, to_state, cause, cause_ref)
           SELECT id, version, $2, $3, $4, $5 FROM moved RETURNING seq""",
        order_id, old, new, cause, cause_ref,
    )  # fmt: skip
    if version is None:
        raise state_conflict(f"the order is not {old} any more")
    ORDER_MOVES.labels(new, cause).inc()
    return version
