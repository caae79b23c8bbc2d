"""Placing an order: priced here, stock reserved, one per (customer, client_ref)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import Field

from services.answers import Answer, Refusal, state_conflict
from services.database import Connection, Row
from services.fields import MAX_AMOUNT, CurrencyCode, FreeText, Reference
from services.ids import new_id
from services.log import log
from services.order_view import new_order_view, order_by_id
from services.pricing import Line, Quote, UnknownPromotion, quote, read_rule
from services.redact import without_card_numbers
from services.stock import reserve
from services.web import Body

FIRST_VERSION = 2
"""An order is acknowledged when it is reserved, its second state."""


class Item(Body):
    sku: str = Field(pattern="^[a-z0-9-]{1,64}$")
    qty: int = Field(ge=1, le=1000)


class Shipping(Body):
    name: FreeText = Field(max_length=120)


class CreateOrder(Body):
    client_ref: Reference
    items: list[Item] = Field(min_length=1, max_length=50)
    currency: CurrencyCode
    expected_total: int | None = Field(default=None, gt=0, le=MAX_AMOUNT)
    promo_code: str | None = Field(default=None, pattern="^[A-Z0-9]{1,40}$")
    note: FreeText | None = Field(default=None, max_length=500)
    shipping: Shipping | None = None
    email: FreeText | None = Field(default=None, max_length=200)


async def create_order(tx: Connection, customer: str, wish: CreateOrder) -> Answer:
    """201 with the new order, or 200 with the one that this client_ref already has. Raises Refusal."""
    wanted = _units(wish.items)
    rows = await _catalogue(tx, customer, wish, wanted)
    if rows and rows[0]["existing"] is not None:
        return await _same_order(tx, customer, wish, wanted)
    if unknown := sorted(set(wanted) - {row["sku"] for row in rows}):
        raise Refusal(422, "not_sold", f"not sold in {wish.currency}: {', '.join(unknown)}")
    priced = _quote(rows, wish, wanted)
    if wish.expected_total not in (None, priced.total):
        message = f"the total is {priced.total}, not {wish.expected_total}"
        raise Refusal(422, "amount_mismatch", message, executed=True)
    order_id, rule = new_id("ord"), rows[0]["version"]
    if not await _place(tx, order_id, customer, wish, priced, rule):
        return await _same_order(tx, customer, wish, wanted)
    await reserve(tx, wanted)
    log("order_placed", order=order_id, client_ref=wish.client_ref)
    view = new_order_view(
        order_id, wish.client_ref, wish.currency, priced, wish.promo_code, rule, FIRST_VERSION
    )
    return Answer.of(201, view)


def _units(items: Sequence[Item]) -> dict[str, int]:
    """Units by sku; a sku named twice is one line."""
    units: Counter[str] = Counter()
    for item in items:
        units[item.sku] += item.qty
    return dict(units)


async def _catalogue(
    tx: Connection, customer: str, wish: CreateOrder, wanted: Mapping[str, int]
) -> Sequence[Row]:
    """What is sold of it, each row with the price rules in force and the order that there may be already."""
    rows: Sequence[Row] = await tx.fetch(
        """SELECT p.sku, p.price, r.version, r.promotions::text AS promotions, r.tax::text AS tax,
                  (SELECT id FROM orders WHERE customer = $3 AND client_ref = $4) AS existing
           FROM products p, (SELECT version, promotions, tax FROM price_rules
                             WHERE active_from <= clock_timestamp() ORDER BY version DESC LIMIT 1) r
           WHERE p.sku = ANY($1) AND p.currency = $2""",
        list(wanted), wish.currency, customer, wish.client_ref,
    )  # fmt: skip
    return rows


def _quote(rows: Sequence[Row], wish: CreateOrder, wanted: Mapping[str, int]) -> Quote:
    """Raises Refusal 422."""
    rule = read_rule(rows[0]["version"], rows[0]["promotions"], rows[0]["tax"])
    lines = [Line(row["sku"], wanted[row["sku"]], row["price"]) for row in rows]
    try:
        return quote(lines, wish.currency, rule, wish.promo_code)
    except UnknownPromotion:
        raise Refusal(422, "unknown_promo_code", "there is no promotion of that code") from None


async def _place(
    tx: Connection, order_id: str, customer: str, wish: CreateOrder, priced: Quote, rule: int
) -> bool:
    """Write it down; False if this client_ref has an order already."""
    placed = await tx.fetchval(
        """WITH placed AS (
               INSERT INTO orders (id, customer, client_ref, state, total, currency, discount, tax, promo_code,
                                   price_rule, note, ship_to, email, version)
               VALUES ($1, $2, $3, 'reserved', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
               ON CONFLICT (customer, client_ref) DO NOTHING RETURNING id),
           history AS (
               INSERT INTO order_history (order_id, seq, from_state, to_state, cause)
               SELECT id, 1, '', 'created', 'api' FROM placed
               UNION ALL SELECT id, $13, 'created', 'reserved', 'api' FROM placed),
           lines AS (
               INSERT INTO order_items (order_id, sku, qty, unit_price, discount)
               SELECT placed.id, l.* FROM placed,
                      unnest($14::text[], $15::bigint[], $16::bigint[], $17::bigint[]) AS l)
           SELECT true FROM placed""",
        order_id, customer, wish.client_ref, priced.total, wish.currency, priced.discount, priced.tax,
        wish.promo_code, rule,
        without_card_numbers(wish.note),
        without_card_numbers(wish.shipping.name if wish.shipping else None),
        without_card_numbers(wish.email),
        FIRST_VERSION,
        [line.sku for line in priced.lines], [line.qty for line in priced.lines],
        [line.unit_price for line in priced.lines], [line.discount for line in priced.lines],
    )  # fmt: skip
    return bool(placed)


async def _same_order(tx: Connection, customer: str, wish: CreateOrder, wanted: Mapping[str, int]) -> Answer:
    """The order of this client_ref, if it is for the same things. Raises Refusal 409."""
    order = await tx.fetchrow(
        "SELECT id, currency, promo_code FROM orders WHERE customer = $1 AND client_ref = $2",
        customer, wish.client_ref,
    )  # fmt: skip
    rows = await tx.fetch("SELECT sku, qty FROM order_items WHERE order_id = $1", order["id"])
    same = {row["sku"]: row["qty"] for row in rows} == dict(wanted)
    if not same or (order["currency"], order["promo_code"]) != (wish.currency, wish.promo_code):
        raise state_conflict("this client_ref belongs to an order of other items")
    return Answer.of(200, await order_by_id(tx, order["id"]))
