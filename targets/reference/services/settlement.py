"""What follows from what the PSP has done with a payment: the only code that decides it.

Request, webhook, reconciler and sweep all end here, in any order and any number of times. Each change
of a payment, its order, the stock and the outbox is one transaction, under the order's lock. A payment
leaves `unknown` on the PSP's evidence only.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.database import Connection
from services.log import log
from services.order_states import move_order
from services.outbox import ORDER_PAID, announce
from services.payment_rows import OPEN_PAYMENT
from services.psp_outcomes import Captured, ChargeOutcome, Declined, NotExecuted, Pending, Unknown
from services.stock import release, sell
from services.surplus import return_charge

HOLDS_MONEY = ("captured", "partially_refunded", "refunded")


@dataclass(frozen=True)
class Cause:
    """Who brought the evidence: request, webhook, reconciler or sweep, and its reference."""

    name: str
    ref: str | None = None


@dataclass(frozen=True)
class Locked:
    """A payment with its order, both locked until the transaction ends."""

    payment_id: str
    attempt: int
    amount: int
    currency: str
    state: str
    psp_id: str | None
    order_id: str
    order_state: str
    order_attempt: int

    @property
    def is_current(self) -> bool:
        """Whether the order waits for exactly this payment."""
        return self.order_state == "payment_pending" and self.order_attempt == self.attempt


async def settle(tx: Connection, payment_id: str, outcome: ChargeOutcome, cause: Cause) -> str:
    """Take in what is known now; the payment's state after it."""
    locked = await _lock(tx, payment_id)
    match outcome:
        case Captured():
            return await _captured(tx, locked, outcome, cause)
        case Declined(psp_id=psp_id, code=code):
            return await _not_charged(tx, locked, "declined", psp_id, code, cause)
        case NotExecuted(code=code):
            return await _not_charged(tx, locked, "failed", None, code, cause)
        case Pending(psp_id=psp_id):
            return await _still_open(tx, locked, "pending_async", psp_id, cause)
        case Unknown(why=why):
            log("payment_unknown", payment=payment_id, order=locked.order_id, why=why)
            return await _still_open(tx, locked, "unknown", None, cause)


async def _lock(tx: Connection, payment_id: str) -> Locked:
    order = await tx.fetchrow(
        """SELECT id, state, pay_attempt FROM orders
           WHERE id = (SELECT order_id FROM payments WHERE id = $1) FOR UPDATE""",
        payment_id,
    )
    row = await tx.fetchrow(
        "SELECT id, attempt, amount, currency, state, psp_id FROM payments WHERE id = $1 FOR UPDATE",
        payment_id,
    )
    return Locked(*row.values(), *order.values())


async def _captured(tx: Connection, locked: Locked, outcome: Captured, cause: Cause) -> str:
    if locked.state in HOLDS_MONEY and locked.psp_id == outcome.psp_id:
        return locked.state
    agreed = (outcome.amount, outcome.currency) == (locked.amount, locked.currency)
    if locked.state not in OPEN_PAYMENT or not locked.is_current or not agreed:
        # The customer was told otherwise, or is charged twice, or wrongly: that money goes back.
        await return_charge(tx, outcome, locked.order_id, cause.name)
        return await _not_charged(tx, locked, "failed", outcome.psp_id, "charge_returned", cause)
    await _move_payment(tx, locked, "captured", cause, psp_id=outcome.psp_id)
    version = await move_order(tx, locked.order_id, "payment_pending", "paid", cause.name, locked.payment_id)
    paid = {"order": locked.order_id, "amount": locked.amount, "currency": locked.currency}
    await announce(tx, locked.order_id, ORDER_PAID, version, paid)
    await sell(tx, locked.order_id)
    return "captured"


async def _not_charged(
    tx: Connection, locked: Locked, state: str, psp_id: str | None, code: str, cause: Cause
) -> str:
    if locked.state not in OPEN_PAYMENT:
        return locked.state
    await _move_payment(tx, locked, state, cause, psp_id=psp_id, code=code)
    if locked.is_current:
        await move_order(
            tx, locked.order_id, "payment_pending", "payment_failed", cause.name, locked.payment_id
        )
        await release(tx, locked.order_id)
    return state


async def _still_open(tx: Connection, locked: Locked, state: str, psp_id: str | None, cause: Cause) -> str:
    # `pending_async` is the PSP's own word; not knowing more now does not take it back.
    if locked.state not in OPEN_PAYMENT or locked.state in (state, "pending_async"):
        return locked.state
    await _move_payment(tx, locked, state, cause, psp_id=psp_id)
    return state


async def _move_payment(
    tx: Connection,
    locked: Locked,
    new: str,
    cause: Cause,
    *,
    psp_id: str | None = None,
    code: str | None = None,
) -> None:
    await tx.execute(
        """WITH moved AS (UPDATE payments SET state = $2, psp_id = coalesce(psp_id, $3), decline_code = $4,
                              version = version + 1, checks = 0,
                              next_check_at = clock_timestamp() + make_interval(secs => 0.5)
                          WHERE id = $1 RETURNING id, version)
           INSERT INTO payment_history (payment_id, seq, from_state, to_state, cause, cause_ref)
           SELECT id, version, $5, $2, $6, $7 FROM moved""",
        locked.payment_id, new, psp_id, code, locked.state, cause.name, cause.ref,
    )  # fmt: skip
    log("payment", payment=locked.payment_id, order=locked.order_id, to=new, cause=cause.name)
