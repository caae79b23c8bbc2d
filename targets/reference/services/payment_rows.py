"""Payments and refunds as they are stored."""

from __future__ import annotations

from dataclasses import dataclass

from services.database import Row

OPEN_PAYMENT = ("submitted", "unknown", "pending_async")
OPEN_REFUND = ("requested", "submitted", "unknown", "pending")

PAYMENT_COLUMNS = """id, order_id, attempt, amount, currency, token, state, psp_id, psp_key,
extract(epoch FROM submitted_at)::bigint AS submitted_s,
extract(epoch FROM clock_timestamp() - submitted_at)::float8 AS age_s"""

REFUND_COLUMNS = """id, kind, order_id, payment_id, psp_payment, amount, currency, reason, state, psp_id, psp_key,
extract(epoch FROM clock_timestamp() - requested_at)::float8 AS age_s"""


@dataclass(frozen=True)
class Payment:
    """`psp_key` is the key of its charge. `age_s` counts from when it was submitted."""

    id: str
    order_id: str
    attempt: int
    amount: int
    currency: str
    token: str
    state: str
    psp_id: str | None
    psp_key: str
    submitted_s: int
    age_s: float

    @classmethod
    def of(cls, row: Row) -> Payment:
        return cls(**dict(row))


@dataclass(frozen=True)
class Refund:
    """kind customer: asked for; kind surplus: of a charge that no order may keep."""

    id: str
    kind: str
    order_id: str | None
    payment_id: str | None
    psp_payment: str
    amount: int
    currency: str
    reason: str
    state: str
    psp_id: str | None
    psp_key: str
    age_s: float

    @classmethod
    def of(cls, row: Row) -> Refund:
        return cls(**dict(row))
