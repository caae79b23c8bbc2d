"""What the provider does by itself when its time has come; like `machine`, all of it goes into a Change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from paydrill.psp import later, machine, refunds, tokens
from paydrill.psp.change import Change
from paydrill.psp.lines import LaterLine
from paydrill.psp.state import REQUIRES_CAPTURE, Charge, Dispute, Intent, Refund

EXPIRED = "expired"
"""Stripe's cancellation_reason of an authorisation that nobody captured (`automatic` before 2025-03-31)."""
_BY_RISK = "automatic"
_REFUND_FAILURE = "expired_or_canceled_card"


def carry_out(change: Change, item: LaterLine) -> None:
    """Do it, if the state still allows it."""
    refund = change.ledger.refunds.get(item.of)
    charge = change.charge_of(refund.charge if refund else item.of)
    intent = change.ledger.intents[charge.intent]
    if not later.still_to_come(item.what, intent, charge, refund):
        return
    if refund is not None:
        _REFUNDS[item.what](change, charge, refund)
    else:
        _CHARGES[item.what](change, intent, charge)


def _settle(change: Change, intent: Intent, charge: Charge) -> None:
    """The bank of an asynchronous method says yes."""
    machine.approve(change, intent, charge)


def _fail(change: Change, intent: Intent, charge: Charge) -> None:
    """The bank of an asynchronous method says no."""
    change.effect(machine.pending_kind(intent), charge, charge.amount, status="failed")
    machine.decline(change, intent, charge, tokens.ASYNC_FAILED)


def _expire(change: Change, intent: Intent, charge: Charge) -> None:
    """Nobody captured the hold in time."""
    closed = machine.close_hold(charge)
    change.effect("expire", closed, intent.capturable, by_psp=True)
    change.keep(closed)
    change.event("charge.expired", closed, closed.token)
    machine.end(change, intent, EXPIRED, closed.token)


def _late_decline(change: Change, intent: Intent, charge: Charge) -> None:
    """Risk has second thoughts: what is held is released, what is kept is given back."""
    if intent.status == REQUIRES_CAPTURE:
        charge = machine.close_hold(charge)
        change.effect("release", charge, intent.capturable, by_psp=True)
        change.keep(charge)
        machine.end(change, intent, _BY_RISK, charge.token)
    if charge.left:
        refunds.reverse(change, charge, charge.left)


def _dispute(change: Change, intent: Intent, charge: Charge) -> None:
    """The customer's bank takes the money back."""
    seq = len(change.ledger.disputes) + 1
    dispute = Dispute(
        id=change.name("du", seq),
        seq=seq,
        created=change.created,
        intent=intent.id,
        charge=charge.id,
        amount=charge.left,
        currency=charge.currency,
        reason="fraudulent",
        status="needs_response",
    )
    charge = replace(charge, disputed=dispute.amount)
    change.effect("chargeback", charge, dispute.amount, by_psp=True, of=dispute.id)
    change.keep(charge)
    change.keep(dispute)
    change.event("charge.dispute.created", dispute, charge.token)
    change.event("charge.dispute.funds_withdrawn", dispute, charge.token)


def _refund_done(change: Change, charge: Charge, refund: Refund) -> None:
    after = replace(refund, status="succeeded")
    change.effect("refund", charge, refund.amount, of=refund.id)
    change.keep(after)
    change.event("refund.updated", after, charge.token)
    change.event("charge.refund.updated", after, charge.token)


def _refund_fail(change: Change, charge: Charge, refund: Refund) -> None:
    """The card's bank sends the money back: it is the merchant's again."""
    after = replace(refund, status="failed", failure=_REFUND_FAILURE)
    charge = replace(charge, refunded=charge.refunded - refund.amount)
    change.effect("refund", charge, refund.amount, status="failed", of=refund.id)
    change.keep(charge)
    change.keep(after)
    change.event("refund.failed", after, charge.token)
    change.event("charge.refund.updated", after, charge.token)


_CHARGES: dict[str, Callable[[Change, Intent, Charge], None]] = {
    later.SETTLE: _settle,
    later.FAIL: _fail,
    later.EXPIRE: _expire,
    later.LATE_DECLINE: _late_decline,
    later.DISPUTE: _dispute,
}
_REFUNDS: dict[str, Callable[[Change, Charge, Refund], None]] = {
    later.REFUND_DONE: _refund_done,
    later.REFUND_FAIL: _refund_fail,
}
