"""Placing an order: priced here, stock reserved, one per (customer, client_ref)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import Field

from services.answers import Answer, Refusal, invalid, state_conflict
from services.database import Connection
from services.ids import new_id
from services.order_view import order_by_id
from services.stock import reserve
from services.web import Body


class Item(Body):
    sku: str = Field(min_length=1, max_length=64)
    qty: int = Field(ge=1, le=1000)


class CreateOrder(Body):
    client_ref: str = Field(min_length=1, max_length=128)
    items: list[Item] = Field(min_length=1, max_length=50)
    currency: str = Field(pattern="^[A-Z]{3}$")
    expected_total: int = Field(gt=0)


async def create_order(tx: Connection, customer: str, wish: CreateOrder) -> Answer:
    """201 with the new order, or 200 with the one that this client_ref already has. Raises Refusal."""
    wanted = _units(wish.items)
    prices = await _prices(tx, wanted, wish.currency)
    total = sum(prices[sku] * qty for sku, qty in wanted.items())
    if total != wish.expected_total:
        raise Refusal(
            422, "amount_mismatch", f"the total is {total}, not {wish.expected_total}", executed=True
        )
    order_id = new_id("ord")
    fresh = await tx.fetchval(
        """INSERT INTO orders (id, customer, client_ref, state, total, currency)
           VALUES ($1, $2, $3, 'created', $4, $5) ON CONFLICT (customer, client_ref) DO NOTHING RETURNING true""",
        order_id, customer, wish.client_ref, total, wish.currency,
    )  # fmt: skip
    if not fresh:
        return await _same_order(tx, customer, wish.client_ref, wanted)
    await tx.execute(
        """WITH history AS (INSERT INTO order_history (order_id, seq, from_state, to_state, cause)
                            VALUES ($1, 1, '', 'created', 'api'))
           INSERT INTO order_items SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[])""",
        order_id, list(wanted), list(wanted.values()), [prices[sku] for sku in wanted],
    )  # fmt: skip
    view = await order_by_id(tx, order_id)
    await reserve(tx, wanted)
    return Answer.of(201, view)


def _units(items: Sequence[Item]) -> dict[str, int]:
    """Units by sku; a sku named twice is one line."""
    units: Counter[str] = Counter()
    for item in items:
        units[item.sku] += item.qty
    return dict(units)


async def _prices(tx: Connection, wanted: Mapping[str, int], currency: str) -> dict[str, int]:
    rows = await tx.fetch(
        "SELECT sku, unit_price FROM products WHERE sku = ANY($1) AND currency = $2", list(wanted), currency
    )
    prices = {row["sku"]: row["unit_price"] for row in rows}
    if unknown := sorted(set(wanted) - set(prices)):
        raise invalid(f"not sold in {currency}: {', '.join(unknown)}")
    return prices


async def _same_order(tx: Connection, customer: str, client_ref: str, wanted: Mapping[str, int]) -> Answer:
    """The order of this client_ref, if it is for the same things. Raises Refusal 409."""
    order_id = await tx.fetchval(
        "SELECT id FROM orders WHERE customer = $1 AND client_ref = $2", customer, client_ref
    )
    rows = await tx.fetch("SELECT sku, qty FROM order_items WHERE order_id = $1", order_id)
    if {row["sku"]: row["qty"] for row in rows} != dict(wanted):
        raise state_conflict("this client_ref belongs to an order of other items")
    return Answer.of(200, await order_by_id(tx, order_id))
