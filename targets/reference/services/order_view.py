"""An order as its customer sees it."""

from __future__ import annotations

import json

from services.database import Connection

_VIEW = """
SELECT o.id, o.client_ref, o.state, o.total, o.currency, o.version, o.customer,
       (SELECT json_agg(json_build_object('sku', i.sku, 'qty', i.qty, 'unit_price', i.unit_price) ORDER BY i.sku)
        FROM order_items i WHERE i.order_id = o.id)::text AS items,
       (SELECT json_build_object('id', p.id, 'status', p.state, 'amount', p.amount, 'refunded', p.refunded)
        FROM payments p WHERE p.order_id = o.id ORDER BY p.attempt DESC LIMIT 1)::text AS payment,
       (SELECT json_agg(json_build_object('id', r.id, 'amount', r.amount, 'status', r.state) ORDER BY r.requested_at)
        FROM refunds r WHERE r.order_id = o.id AND r.kind = 'customer')::text AS refunds
FROM orders o WHERE """


async def order_by_id(connection: Connection, order_id: str) -> dict[str, object]:
    """The order, which must exist."""
    view = await _view(connection, "o.id = $1", order_id)
    assert view is not None, f"order {order_id} vanished"
    return view


async def find_order(connection: Connection, customer: str, order_id: str) -> dict[str, object] | None:
    return await _view(connection, "o.id = $1 AND o.customer = $2", order_id, customer)


async def find_order_by_ref(
    connection: Connection, customer: str, client_ref: str
) -> dict[str, object] | None:
    return await _view(connection, "o.client_ref = $1 AND o.customer = $2", client_ref, customer)


async def _view(connection: Connection, condition: str, *values: str) -> dict[str, object] | None:
    row = await connection.fetchrow(_VIEW + condition, *values)
    if row is None:
        return None
    return {
        "id": row["id"],
        "client_ref": row["client_ref"],
        "status": row["state"],
        "total": row["total"],
        "currency": row["currency"],
        "version": row["version"],
        "items": json.loads(row["items"]),
        "payment": json.loads(row["payment"]) if row["payment"] else None,
        "refunds": json.loads(row["refunds"]) if row["refunds"] else [],
    }
