"""What each executed operation does to refunds; like `machine`, it puts all of it into a Change."""

from __future__ import annotations

from dataclasses import replace

from paydrill.psp import later, tokens
from paydrill.psp.change import Change
from paydrill.psp.how import AS_USUAL, How
from paydrill.psp.refusals import not_possible
from paydrill.psp.requests import CancelRefund, CreateRefund, UpdateRefund
from paydrill.psp.state import Charge, EffectStatus, Refund


def create(change: Change, request: CreateRefund, how: How = AS_USUAL) -> Refund:
    """Give back all or a part of what a charge took. Raises Refusal."""
    before = change.charge_of(request.charge) if request.charge else None
    if before is None or before.captured == 0:
        message = f"This PaymentIntent ({request.intent_id}) does not have a successful charge to refund."
        raise not_possible(message, "payment_intent_unexpected_state")
    if before.disputed:
        message = f"Charge {before.id} has been charged back; cannot issue a refund."
        raise not_possible(message, "charge_disputed")
    if before.left == 0:
        raise not_possible(f"Charge {before.id} has already been refunded.", "charge_already_refunded")
    amount = before.left if request.amount is None else request.amount
    if amount > before.left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({before.left})."
        raise not_possible(message, "amount_too_large", "amount")
    word = how.word or before.how
    pending = word == tokens.REFUND_PENDING
    result = _made(change, before, amount, "pending" if pending else "succeeded", request.reason)
    result = replace(result, metadata=request.metadata)
    _give_back(change, before, result, by_psp=False)
    if pending:
        change.later(later.REFUND_DONE, result.id, before.intent, _s(how, change.terms.refund_pending_s))
    if word == tokens.REFUND_FAIL:
        change.later(later.REFUND_FAIL, result.id, before.intent, _s(how, change.terms.refund_fail_s))
    return result


def reverse(change: Change, charge: Charge, amount: int) -> Refund:
    """A refund that nobody asked for: the provider's risk department takes a charge back."""
    result = _made(change, charge, amount, "succeeded", "fraudulent")
    _give_back(change, charge, result, by_psp=True)
    return result


def update(change: Change, request: UpdateRefund) -> Refund:
    """Its metadata; nothing else of a refund can be changed."""
    after = replace(request.refund, metadata=request.metadata)
    change.keep(after)
    change.event("refund.updated", after, change.charge_of(after.charge).token)
    return after


def cancel(change: Change, request: CancelRefund) -> Refund:
    """Only a refund that waits for its customer could be canceled, and card refunds never do."""
    raise not_possible(
        f"Refund {request.refund.id} cannot be canceled because it has a status of {request.refund.status}. "
        "Only refunds with a status of requires_action can be canceled.",
        None,
    )


def _made(change: Change, charge: Charge, amount: int, status: str, reason: str | None) -> Refund:
    seq = len(change.ledger.refunds) + 1
    return Refund(
        id=change.name("re", seq),
        seq=seq,
        created=change.created,
        intent=charge.intent,
        charge=charge.id,
        amount=amount,
        currency=charge.currency,
        status=status,
        reason=reason,
    )


def _give_back(change: Change, before: Charge, result: Refund, *, by_psp: bool) -> None:
    """From here on that much less can be refunded, also while the refund is pending."""
    charge = replace(before, refunded=before.refunded + result.amount)
    status: EffectStatus = "pending" if result.status == "pending" else "done"
    change.effect("refund", charge, result.amount, status=status, by_psp=by_psp, of=result.id)
    change.keep(charge)
    change.keep(result)
    change.event("charge.refunded", charge, charge.token)
    change.event("refund.created", result, charge.token)


def _s(how: How, usual_s: float) -> float:
    return usual_s if how.after_s is None else how.after_s
