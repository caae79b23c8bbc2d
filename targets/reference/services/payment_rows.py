"""Payments and refunds as they are stored."""

from __future__ import annotations

from dataclasses import dataclass

from services.database import Row

OPEN_PAYMENT = (
    "submitted", "unknown", "requires_action", "pending_async", "authorised", "capturing", "voiding",
)  # fmt: skip
HOLDS_MONEY = ("captured", "partially_refunded", "refunded", "charged_back")
CAME_TO_NOTHING = ("declined", "failed", "voided", "expired")
OPEN_REFUND = ("requested", "submitted", "unknown", "pending")

PAYMENT_COLUMNS = """id, order_id, attempt, psp, capture, amount, currency, token, state, psp_id, psp_key,
op, op_key, op_amount, extract(epoch FROM submitted_at)::bigint AS submitted_s,
extract(epoch FROM clock_timestamp() - submitted_at)::float8 AS age_s,
extract(epoch FROM clock_timestamp() - changed_at)::float8 AS state_age_s"""

REFUND_COLUMNS = """id, kind, order_id, payment_id,
coalesce(psp, (SELECT p.psp FROM payments p WHERE p.id = payment_id)) AS psp,
psp_payment, amount, currency, reason, state, psp_id, psp_key,
extract(epoch FROM clock_timestamp() - requested_at)::float8 AS age_s"""


@dataclass(frozen=True)
class Payment:
    """`psp_key` is the key of its charge, `op_key` that of the operation `op` under way (capture, void, cancel).

    `age_s` counts from when it was submitted, `state_age_s` from its last change.
    """

    id: str
    order_id: str
    attempt: int
    psp: str
    capture: str
    amount: int
    currency: str
    token: str
    state: str
    psp_id: str | None
    psp_key: str
    op: str | None
    op_key: str | None
    op_amount: int | None
    submitted_s: int
    age_s: float
    state_age_s: float

    @classmethod
    def of(cls, row: Row) -> Payment:
        return cls(**dict(row))

    @property
    def awaits_charge(self) -> bool:
        """Whether the PSP is not known to have heard of it: its charge is to be asked for, with its key."""
        return self.state in ("submitted", "unknown") and self.op is None and self.psp_id is None


@dataclass(frozen=True)
class Refund:
    """kind customer: asked for; psp: made by the PSP; surplus: of a charge that no order may keep;
    release: of a hold that no order may keep."""

    id: str
    kind: str
    order_id: str | None
    payment_id: str | None
    psp: str
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
