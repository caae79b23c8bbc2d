"""What follows from what the PSP has done with a payment: the only code that decides it.

Request, webhook, reconciler and sweep all end here, in any order and any number of times. Each change
of a payment, its order, the stock, the ledger and the outbox is one transaction, under the order's lock.
A payment leaves `unknown` on the PSP's evidence only. What was true once is told late and twice, so a
word of the PSP counts only where it leads on from the state that we know.
"""

from __future__ import annotations

from services.database import Connection
from services.ledger import capture_of_order
from services.log import log
from services.order_states import move_order
from services.outbox import Event
from services.payment_states import (
    Cause,
    Locked,
    Operation,
    begin_operation,
    end_operation,
    lock_payment,
    move_payment,
)
from services.psp_outcomes import (
    ActionRequired,
    Authorised,
    Canceled,
    Captured,
    ChargeOutcome,
    Declined,
    NotExecuted,
    OperationFailed,
    Pending,
    Unknown,
)
from services.stock import release, sell
from services.surplus import return_charge


async def settle(tx: Connection, payment_id: str, outcome: ChargeOutcome, cause: Cause) -> str:
    """Take in what is known now; the payment's state after it."""
    locked = await lock_payment(tx, payment_id)
    match outcome:
        case Captured():
            return await _captured(tx, locked, outcome, cause)
        case Authorised():
            return await _authorised(tx, locked, outcome, cause)
        case Canceled(psp_id=psp_id):
            return await _canceled(tx, locked, psp_id, cause)
        case Declined(psp_id=psp_id, code=code):
            state = "failed" if locked.state == "pending_async" else "declined"
            undecided = locked.awaits_charge or locked.state in ("requires_action", "pending_async")
            return await _not_charged(tx, locked, undecided, state, psp_id, code, cause)
        case NotExecuted(code=code):
            unheard = locked.awaits_charge and locked.psp_id is None
            return await _not_charged(tx, locked, unheard, "failed", None, code, cause)
        case OperationFailed(code=code):
            return await _operation_failed(tx, locked, code, cause)
        case ActionRequired(psp_id=psp_id):
            return await _waits(tx, locked, "requires_action", psp_id, cause)
        case Pending(psp_id=psp_id):
            return await _waits(tx, locked, "pending_async", psp_id, cause)
        case Unknown(sent=False):
            return locked.state
        case Unknown(why=why):
            log("payment_unknown", payment=payment_id, order=locked.order_id, why=why)
            return await _not_known(tx, locked, cause)


async def _captured(tx: Connection, locked: Locked, outcome: Captured, cause: Cause) -> str:
    if locked.psp_id not in (None, outcome.psp_id):
        # A second charge; what becomes of the first is another matter.
        await return_charge(tx, outcome, locked.psp, locked.order_id, cause.name)
        return locked.state
    if locked.holds_money:
        return locked.state
    wanted = locked.is_open and locked.is_current and locked.op != "void"
    if not wanted or not locked.agrees(outcome.amount, outcome.currency):
        # The customer was told otherwise, or is charged twice, or wrongly: that money goes back.
        await return_charge(tx, outcome, locked.psp, locked.order_id, cause.name)
        return await _not_charged(
            tx, locked, locked.is_open, "failed", outcome.psp_id, "charge_returned", cause
        )
    posting = capture_of_order(
        outcome.psp_id, outcome.amount, outcome.currency, locked.psp, locked.order_id, cause.name
    )
    await move_payment(
        tx, locked, "captured", cause, psp_id=outcome.psp_id, amount=outcome.amount, posting=posting
    )
    event = Event.paid(locked.order_id, outcome.amount, outcome.currency)
    await move_order(tx, locked.order_id, locked.order_state, "paid", cause.name, locked.payment_id, event)
    await sell(tx, locked.order_id)
    return "captured"


async def _authorised(tx: Connection, locked: Locked, outcome: Authorised, cause: Cause) -> str:
    """The order is held for review. A hold that it cannot use is let go by the worker."""
    undecided = locked.awaits_charge or locked.state in ("requires_action", "pending_async")
    if not undecided:
        return locked.state
    await move_payment(tx, locked, "authorised", cause, psp_id=outcome.psp_id)
    if not locked.is_current or (outcome.amount, outcome.currency) != (locked.amount, locked.currency):
        held = await lock_payment(tx, locked.payment_id)
        await begin_operation(tx, held, "voiding", Operation("void", None, 0.0), cause)
        return "voiding"
    await move_order(tx, locked.order_id, locked.order_state, "under_review", cause.name, locked.payment_id)
    return "authorised"


async def _canceled(tx: Connection, locked: Locked, psp_id: str, cause: Cause) -> str:
    if locked.op == "void":
        state, code = "voided", "voided"
    elif locked.state in ("authorised", "capturing") or locked.op == "capture":
        state, code = "expired", "expired"
    else:
        state, code = "failed", "challenge_abandoned" if locked.op == "cancel" else "canceled"
    return await _not_charged(tx, locked, locked.is_open, state, psp_id, code, cause)


async def _not_charged(
    tx: Connection, locked: Locked, counts: bool, state: str, psp_id: str | None, code: str, cause: Cause
) -> str:
    """`counts`: whether that still is news of this payment."""
    if not counts:
        return locked.state
    await move_payment(tx, locked, state, cause, psp_id=psp_id, code=code)
    if locked.is_current:
        await move_order(
            tx, locked.order_id, locked.order_state, "payment_failed", cause.name, locked.payment_id
        )
        await release(tx, locked.order_id)
    return state


async def _operation_failed(tx: Connection, locked: Locked, code: str, cause: Cause) -> str:
    """It may be begun anew, with a key of its own."""
    if locked.op is None:
        return locked.state
    log("operation_failed", payment=locked.payment_id, order=locked.order_id, op=locked.op, why=code)
    if locked.op == "cancel":
        await end_operation(tx, locked.payment_id)
        return locked.state
    await move_payment(tx, locked, "authorised", cause, code=code)
    return "authorised"


async def _waits(tx: Connection, locked: Locked, state: str, psp_id: str, cause: Cause) -> str:
    """The PSP has it and waits for something. Nothing takes that back but its own later word."""
    goes_on = locked.awaits_charge or (locked.state, state) == ("requires_action", "pending_async")
    if not goes_on:
        return locked.state
    await move_payment(tx, locked, state, cause, psp_id=psp_id)
    return state


async def _not_known(tx: Connection, locked: Locked, cause: Cause) -> str:
    if locked.state not in ("submitted", "capturing", "voiding"):
        return locked.state
    await move_payment(tx, locked, "unknown", cause)
    return "unknown"
