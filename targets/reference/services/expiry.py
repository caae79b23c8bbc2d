"""Reservations end: an order that nobody pays gives its stock back, and can still be paid by reserving again.

A payment is begun by moving its order to `payment_pending` under the order's lock, so an order found here in
one of these states has none under way; one that is just being paid is locked and passed over.
"""

from __future__ import annotations

from services.database import Connection, Database
from services.log import log
from services.metrics import EXPIRED
from services.order_states import move_order
from services.stock import release


async def expire_reservations(db: Database, life_s: float, at_most: int) -> int:
    """Release what has been reserved for longer than `life_s` by the database's clock; how many orders."""
    for done in range(at_most):
        async with db.transaction() as tx:
            if not await _expire_one(tx, life_s):
                return done
        EXPIRED.inc()
    return at_most


async def _expire_one(tx: Connection, life_s: float) -> bool:
    order = await tx.fetchrow(
        """SELECT id, state FROM orders
           WHERE stock_held AND state IN ('reserved', 'payment_failed')
             AND is_older(held_since, $1)
           ORDER BY held_since LIMIT 1 FOR UPDATE SKIP LOCKED""",
        life_s,
    )
    if order is None:
        return False
    if order["state"] == "reserved":
        await move_order(tx, order["id"], "reserved", "created", "expiry")
    await release(tx, order["id"])
    log("reservation_expired", order=order["id"])
    return True
