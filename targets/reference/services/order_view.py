"""An order as its customer sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from services.database import Connection, Row
from services.pricing import Quote

_VIEW = """
SELECT o.id, o.client_ref, o.state, o.total, o.currency, o.discount, o.tax, o.promo_code, o.price_rule, o.version,
       (SELECT json_agg(json_build_object('sku', i.sku, 'qty', i.qty, 'unit_price', i.unit_price) ORDER BY i.sku)
        FROM order_items i WHERE i.order_id = o.id)::text AS items,
       (SELECT json_build_object('id', p.id, 'status', p.state, 'amount', p.amount, 'refunded', p.refunded,
                                 'psp_id', p.psp_id, 'attempt', p.attempt, 'code', p.decline_code)
        FROM payments p WHERE p.order_id = o.id ORDER BY p.attempt DESC LIMIT 1)::text AS payment,
       (SELECT json_agg(json_build_object('id', r.id, 'amount', r.amount, 'status', r.state) ORDER BY r.requested_at)
        FROM refunds r WHERE r.order_id = o.id AND r.kind = 'customer')::text AS refunds
FROM orders o WHERE """

_ATTEMPT = """
SELECT json_build_object('status', state, 'psp_id', psp_id, 'attempt', attempt, 'code', decline_code)::text
FROM payments WHERE order_id = $1 AND attempt = $2"""

OWNED_BY = "($2::text IS NULL OR customer = $2)"
"""For statements about one order ($1): whose it must be, None for anybody's."""


async def order_by_id(connection: Connection, order_id: str) -> dict[str, object]:
    """The order, which must exist."""
    view = await _view(connection, "o.id = $1", order_id)
    assert view is not None, f"order {order_id} vanished"
    return view


async def order_and_attempt(
    connection: Connection, order_id: str, attempt: int
) -> tuple[dict[str, object], dict[str, object] | None]:
    """The order, which must exist, and what is stored of that attempt to pay it: status, code and psp_id."""
    row = await connection.fetchrow(_VIEW + "o.id = $1", order_id)
    newest = json.loads(row["payment"]) if row["payment"] else None
    if newest is None or newest["attempt"] < attempt:
        return _shown(row), None
    if newest["attempt"] > attempt:
        newest = json.loads(await connection.fetchval(_ATTEMPT, order_id, attempt))
    return _shown(row), newest


async def find_order(connection: Connection, customer: str | None, order_id: str) -> dict[str, object] | None:
    """`customer` None: whoever it belongs to."""
    return await _view(connection, f"o.id = $1 AND {OWNED_BY}", order_id, customer)


async def find_order_by_ref(
    connection: Connection, customer: str, client_ref: str
) -> dict[str, object] | None:
    return await _view(connection, "o.client_ref = $1 AND o.customer = $2", client_ref, customer)


def new_order_view(
    order_id: str,
    client_ref: str,
    currency: str,
    quote: Quote,
    promo_code: str | None,
    rule: int,
    version: int,
) -> dict[str, object]:
    """The view of an order that has just been placed, as reading it would show it."""
    items = [
        {"sku": line.sku, "qty": line.qty, "unit_price": line.unit_price}
        for line in sorted(quote.lines, key=lambda line: line.sku)
    ]
    row = {
        "id": order_id,
        "client_ref": client_ref,
        "state": "reserved",
        "total": quote.total,
        "currency": currency,
        "discount": quote.discount,
        "tax": quote.tax,
        "promo_code": promo_code,
        "price_rule": rule,
        "version": version,
    }
    return _assembled(row, items, None, [])


async def _view(connection: Connection, condition: str, *values: str | None) -> dict[str, object] | None:
    row = await connection.fetchrow(_VIEW + condition, *values)
    return None if row is None else _shown(row)


def _shown(row: Row) -> dict[str, object]:
    payment = json.loads(row["payment"]) if row["payment"] else None
    refunds = json.loads(row["refunds"]) if row["refunds"] else []
    return _assembled(row, json.loads(row["items"]), payment and _payment(payment), refunds)


def _assembled(
    row: Mapping[str, object],
    items: Sequence[object],
    payment: Mapping[str, object] | None,
    refunds: Sequence[object],
) -> dict[str, object]:
    return {
        "id": row["id"],
        "client_ref": row["client_ref"],
        "status": row["state"],
        "total": row["total"],
        "currency": row["currency"],
        "discount": row["discount"],
        "tax": row["tax"],
        "promo_code": row["promo_code"],
        "price_rule": row["price_rule"],
        "version": row["version"],
        "items": items,
        "payment": payment,
        "refunds": refunds,
    }


def _payment(stored: dict[str, object]) -> dict[str, object]:
    """The PSP's id is shown only where the customer needs it: to do the challenge there."""
    shown = {key: stored[key] for key in ("id", "status", "amount", "refunded")}
    if stored["status"] == "requires_action" and stored["psp_id"] is not None:
        return {**shown, "next_action": {"challenge": stored["psp_id"]}}
    return shown
