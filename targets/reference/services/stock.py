"""Stock: reserved with the order, sold with its payment, released when it will not be paid.

Each change is one statement, and the last one of its transaction where it can be, so that the rows
that everybody wants are locked only for a moment. Rows are locked in the order of their sku.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.answers import Refusal
from services.database import Connection


async def reserve(tx: Connection, wanted: Mapping[str, int]) -> None:
    """Take units off the shelf. Raises Refusal 409 if any is short, and the caller's transaction with it."""
    taken = await tx.fetch(
        """WITH wanted AS (SELECT * FROM unnest($1::text[], $2::bigint[]) AS w (sku, qty)),
                locked AS (SELECT s.sku FROM stock s JOIN wanted USING (sku) ORDER BY s.sku FOR UPDATE OF s)
           UPDATE stock SET available = available - w.qty, reserved = reserved + w.qty
           FROM wanted w JOIN locked USING (sku)
           WHERE stock.sku = w.sku AND stock.available >= w.qty RETURNING stock.sku""",
        list(wanted.keys()), list(wanted.values()),
    )  # fmt: skip
    if len(taken) < len(wanted):
        short = sorted(set(wanted) - {row["sku"] for row in taken})
        raise Refusal(409, "insufficient_stock", f"not enough in stock of {', '.join(short)}", executed=True)


async def reserve_again(tx: Connection, order_id: str) -> None:
    """For a new attempt to pay an order whose stock went back to the shelf. Raises Refusal 409."""
    rows = await tx.fetch(
        """WITH held AS (UPDATE orders SET stock_held = true, held_since = clock_timestamp() WHERE id = $1)
           SELECT sku, qty FROM order_items WHERE order_id = $1""",
        order_id,
    )
    await reserve(tx, {row["sku"]: row["qty"] for row in rows})


async def sell(tx: Connection, order_id: str) -> None:
    """The order is paid: what was reserved for it is sold, once."""
    await _let_go(tx, order_id, "reserved = reserved - i.qty, sold = sold + i.qty")


async def release(tx: Connection, order_id: str) -> None:
    """The order will not be paid, or not by this attempt: back to the shelf, once."""
    await _let_go(tx, order_id, "reserved = reserved - i.qty, available = available + i.qty")


async def _let_go(tx: Connection, order_id: str, change: str) -> None:
    """Nothing for an order that holds no stock any more."""
    await tx.execute(
        f"""WITH held AS (UPDATE orders SET stock_held = false WHERE id = $1 AND stock_held RETURNING id),
                 items AS (SELECT i.sku, i.qty FROM order_items i JOIN held ON i.order_id = held.id),
                 locked AS (SELECT s.sku FROM stock s JOIN items USING (sku) ORDER BY s.sku FOR UPDATE OF s)
            UPDATE stock SET {change}
            FROM items i JOIN locked USING (sku) WHERE stock.sku = i.sku""",
        order_id,
    )
