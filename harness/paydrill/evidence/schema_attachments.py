"""Attachment tables: a look inside the target, for rules that need more than facts."""

from __future__ import annotations

from paydrill.evidence.schema import Table, parse_columns

IDEMPOTENCY_ROW = Table(
    "idempotency_row",
    1,
    "attachment",
    ("snap", "source", "ref"),
    "The target's stored idempotency keys.",
    parse_columns("""
        snap int! number of the reading
        source text! where it was read
        ref text! the row's id
        caller text scope of the key
        route text scope of the key
        idem_key text! the key
        body text fingerprint of the body
        state text! such as in_progress or completed
        status int stored HTTP status
        read_ns int! when the reading began
    """),
)
OUTBOX_ROW = Table(
    "outbox_row",
    1,
    "attachment",
    ("snap", "source", "ref"),
    "The target's transactional outbox.",
    parse_columns("""
        snap int! number of the reading
        source text! where it was read
        ref text! the event's id
        order_ref text the order
        intent int resolved by order_ref
        kind text such as `order.paid`
        seq int number per order
        state text! pending or sent
        read_ns int! when the reading began
    """),
)
STOCK = Table(
    "stock",
    1,
    "attachment",
    ("snap", "source", "sku"),
    "Stock per article.",
    parse_columns("""
        snap int! number of the reading
        source text! where it was read
        sku text! article
        initial int! pieces at the start
        left int! pieces free
        reserved int! pieces reserved
        sold int! pieces sold
        unit_price int minor units
        currency text ISO code, capitals
        read_ns int! when the reading began
    """),
)
TABLES = (IDEMPOTENCY_ROW, OUTBOX_ROW, STOCK)
