"""The states of a payment, and the only function that changes one."""

from __future__ import annotations

from dataclasses import dataclass

from services.database import Connection
from services.ledger import Posting
from services.log import log
from services.payment_metrics import PAYMENT_MOVES
from services.payment_rows import HOLDS_MONEY, OPEN_PAYMENT

_DECIDED = {"captured", "declined", "failed"}
_HELD = {"authorised", "captured", "expired"}

ALLOWED = {
    "submitted": {"unknown", "requires_action", "pending_async", "authorised", *_DECIDED},
    "unknown": {"requires_action", "pending_async", "voided", *_HELD, *_DECIDED},
    "requires_action": {"pending_async", "authorised", *_DECIDED},
    "pending_async": {"authorised", "captured", "failed"},
    "authorised": {"capturing", "voiding", "failed", *_HELD},
    "capturing": {"unknown", "failed", *_HELD},
    "voiding": {"unknown", "voided", "failed", *_HELD},
    "captured": {"partially_refunded", "refunded", "charged_back"},
    "partially_refunded": {"partially_refunded", "refunded", "captured", "charged_back"},
    "refunded": {"partially_refunded", "captured", "charged_back"},
}


@dataclass(frozen=True)
class Cause:
    """Who brought the evidence: request, webhook, reconciler, sweep or settlement, and its reference."""

    name: str
    ref: str | None = None


@dataclass(frozen=True)
class Operation:
    """What is asked of the PSP next, on a payment that it knows; its key is `<payment>:<kind>:<number>`."""

    kind: str
    amount: int | None
    lease_s: float


@dataclass(frozen=True)
class Locked:
    """A payment with its order, both locked until the transaction ends."""

    payment_id: str
    attempt: int
    psp: str
    amount: int
    currency: str
    capture: str
    state: str
    psp_id: str | None
    op: str | None
    refunded: int
    order_id: str
    order_state: str
    order_attempt: int

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_PAYMENT

    @property
    def holds_money(self) -> bool:
        """Whether the customer has been charged for the order, whatever was given back later."""
        return self.state in HOLDS_MONEY

    @property
    def awaits_charge(self) -> bool:
        """Whether nothing is known yet of its charge."""
        return self.state in ("submitted", "unknown") and self.op is None

    @property
    def is_current(self) -> bool:
        """Whether the order waits for exactly this payment."""
        return self.order_state in ("payment_pending", "under_review") and self.order_attempt == self.attempt

    def agrees(self, amount: int, currency: str) -> bool:
        """Whether the order is paid by that. What was held may be captured in part, and the rest let go."""
        if currency != self.currency:
            return False
        return amount == self.amount or (self.capture == "later" and 0 < amount < self.amount)


async def lock_payment(tx: Connection, payment_id: str) -> Locked:
    """The order is locked first, as everywhere."""
    row = await tx.fetchrow(
        """SELECT p.id, p.attempt, p.psp, p.amount, p.currency, p.capture, p.state, p.psp_id, p.op, p.refunded,
                  o.id AS order_id, o.state AS order_state, o.pay_attempt
           FROM orders o JOIN payments p ON p.order_id = o.id WHERE p.id = $1 FOR UPDATE OF o, p""",
        payment_id,
    )
    return Locked(*row.values())


async def move_payment(
    tx: Connection,
    locked: Locked,
    new: str,
    cause: Cause,
    *,
    psp_id: str | None = None,
    code: str | None = None,
    amount: int | None = None,
    posting: Posting | None = None,
) -> None:
    """Change the state, with its history row and what it does to the ledger. Ends the operation under way,
    unless it is only not known how that ended."""
    assert new in ALLOWED.get(locked.state, ()), f"a payment cannot go from {locked.state} to {new}"
    book = posting or Posting("", "", "", 0, "", "", None, "")
    await tx.execute(
        """WITH moved AS (UPDATE payments SET state = $2, psp_id = coalesce(psp_id, $3), decline_code = $4,
                              amount = coalesce($8, amount),
                              authorised = CASE WHEN $2 = 'authorised' THEN amount ELSE authorised END,
                              op = CASE WHEN $2 = 'unknown' THEN op END,
                              op_key = CASE WHEN $2 = 'unknown' THEN op_key END,
                              op_amount = CASE WHEN $2 = 'unknown' THEN op_amount END,
                              version = version + 1, checks = 0, changed_at = clock_timestamp(),
                              next_check_at = clock_timestamp() + make_interval(secs => 0.5)
                          WHERE id = $1 RETURNING id, version),
                posted AS (INSERT INTO ledger_entries (ref, line, account, amount, currency, psp, order_id, cause)
                           SELECT $9, leg.line, leg.account, leg.amount, $13, $14, $15, $16
                           FROM (VALUES (1, $10, $12::bigint), (2, $11, -$12::bigint)) AS leg (line, account, amount)
                           WHERE $9 <> '' ON CONFLICT DO NOTHING)
           INSERT INTO payment_history (payment_id, seq, from_state, to_state, cause, cause_ref)
           SELECT id, version, $5, $2, $6, $7 FROM moved""",
        locked.payment_id, new, psp_id, code, locked.state, cause.name, cause.ref, amount,
        book.ref, book.debit, book.credit, book.amount, book.currency, book.psp, book.order_id, book.cause,
    )  # fmt: skip
    PAYMENT_MOVES.labels(new, cause.name).inc()
    log("payment", payment=locked.payment_id, order=locked.order_id, to=new, cause=cause.name)


async def begin_operation(
    tx: Connection, locked: Locked, new: str, operation: Operation, cause: Cause
) -> str:
    """Write down what the PSP will be asked for, with its key; the key. The caller has it for the lease."""
    assert new == locked.state or new in ALLOWED.get(locked.state, ()), f"{locked.state} to {new}"
    key: str = await tx.fetchval(
        """WITH moved AS (UPDATE payments SET state = $2, op = $3, op_seq = op_seq + 1, op_amount = $4,
                              op_key = id || ':' || $3 || ':' || (op_seq + 1), version = version + ($2 <> $5)::int,
                              changed_at = CASE WHEN $2 <> $5 THEN clock_timestamp() ELSE changed_at END, checks = 0,
                              next_check_at = clock_timestamp() + make_interval(secs => $6)
                          WHERE id = $1 RETURNING id, version, op_key),
                told AS (INSERT INTO payment_history (payment_id, seq, from_state, to_state, cause, cause_ref)
                         SELECT id, version, $5, $2, $7, coalesce($8, op_key) FROM moved WHERE $2 <> $5)
           SELECT op_key FROM moved""",
        locked.payment_id, new, operation.kind, operation.amount, locked.state, operation.lease_s, cause.name,
        cause.ref,
    )  # fmt: skip
    if new != locked.state:
        PAYMENT_MOVES.labels(new, cause.name).inc()
    log(
        "payment_operation",
        payment=locked.payment_id,
        order=locked.order_id,
        op=operation.kind,
        cause=cause.name,
    )
    return key


async def end_operation(tx: Connection, payment_id: str) -> None:
    """The operation has come to nothing, and the state does not change by that."""
    await tx.execute(
        "UPDATE payments SET op = NULL, op_key = NULL, op_amount = NULL WHERE id = $1", payment_id
    )
