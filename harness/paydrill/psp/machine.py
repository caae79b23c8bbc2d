"""The state machine: what each executed operation does to intents, charges and refunds.

Every function puts all that it does into a Change and returns the object to answer with, or raises a
Refusal for what the state does not allow. Nothing here writes, waits or looks at a clock.
"""

from __future__ import annotations

from dataclasses import replace

from paydrill.psp import shapes, tokens
from paydrill.psp.change import Change
from paydrill.psp.how import DECLINED, How
from paydrill.psp.refusals import Refusal, not_possible, unexpected_state
from paydrill.psp.requests import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    UpdateIntent,
)
from paydrill.psp.state import (
    CANCELED,
    REQUIRES_CAPTURE,
    REQUIRES_CONFIRMATION,
    REQUIRES_METHOD,
    SUCCEEDED,
    Charge,
    Failure,
    Intent,
    Refund,
)

_OPEN = (REQUIRES_METHOD, REQUIRES_CONFIRMATION)


class Declined(Exception):
    """The card was refused: an answer (402) and an object (a failed charge) alike."""

    def __init__(self, intent: Intent, failure: Failure) -> None:
        self.intent = intent
        self.failure = failure
        super().__init__(failure.message)

    def refusal(self) -> Refusal:
        error = shapes.card_error(self.failure, self.intent.charge)
        error["payment_intent"] = shapes.intent(self.intent)
        return Refusal(
            402, "card_error", self.failure.message, code=self.failure.code, stopped_by=None, more=error
        )


def create(change: Change, request: CreateIntent, how: How) -> Intent:
    """A new intent; confirmed at once when asked. Raises Declined."""
    seq = len(change.ledger.intents) + 1
    intent = Intent(
        id=change.name("pi", seq),
        seq=seq,
        created=change.created,
        amount=request.amount,
        currency=request.currency,
        capture_method=request.capture_method,
        status=REQUIRES_CONFIRMATION if request.token else REQUIRES_METHOD,
        token=request.token,
        metadata=request.metadata,
        echoed=request.echoed,
    )
    change.keep(intent)
    change.event("payment_intent.created", intent, request.token)
    return _charge(change, intent, how) if request.confirm else intent


def update(change: Change, request: UpdateIntent) -> Intent:
    """Metadata and descriptions at any time, money only before it is confirmed."""
    before = request.intent
    money = (request.amount, request.currency, request.capture_method, request.token)
    if any(item is not None for item in money) and before.status not in _OPEN:
        message = (
            "This PaymentIntent's amount, currency, capture_method and payment_method could not be updated "
            f"because it has a status of {before.status}."
        )
        raise unexpected_state(message, shapes.intent(before))
    status = REQUIRES_CONFIRMATION if request.token and before.status in _OPEN else before.status
    after = replace(
        before,
        amount=before.amount if request.amount is None else request.amount,
        currency=request.currency or before.currency,
        capture_method=request.capture_method or before.capture_method,
        token=request.token or before.token,
        status=status,
        metadata=request.metadata,
        echoed=request.echoed,
    )
    change.keep(after)
    return after


def confirm(change: Change, request: ConfirmIntent, how: How) -> Intent:
    """Charge the intent's token. Raises Declined, Refusal."""
    before = request.intent
    if before.status not in _OPEN:
        why = (
            "it has already succeeded after being previously confirmed"
            if before.status == SUCCEEDED
            else f"it has a status of {before.status}"
        )
        raise unexpected_state(f"You cannot confirm this PaymentIntent because {why}.", shapes.intent(before))
    token = request.token or before.token
    if token is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
            "update the PaymentIntent with a payment method and then confirm it again, or confirm it again "
            "directly with a payment method."
        )
        raise unexpected_state(message, shapes.intent(before))
    intent = replace(before, token=token, capture_method=request.capture_method or before.capture_method)
    return _charge(change, intent, how)


def capture(change: Change, request: CaptureIntent) -> Intent:
    """Take a held amount, or a part of it: the rest is released."""
    before = request.intent
    if before.status != REQUIRES_CAPTURE:
        message = (
            f"This PaymentIntent could not be captured because it has a status of {before.status}. Only a "
            f"PaymentIntent with one of the following statuses may be captured: {REQUIRES_CAPTURE}."
        )
        raise unexpected_state(message, shapes.intent(before))
    amount = before.capturable if request.amount is None else request.amount
    if amount > before.capturable:
        message = (
            f"The amount_to_capture ({amount}) is greater than the amount that can be captured "
            f"({before.capturable})."
        )
        raise not_possible(message, "amount_too_large", "amount_to_capture")
    assert before.charge is not None
    charge = replace(change.charge_of(before.charge), captured=amount, is_captured=True)
    after = replace(before, status=SUCCEEDED, received=amount, capturable=0, metadata=request.metadata)
    change.effect("capture", charge, amount)
    if amount < before.capturable:
        change.effect("release", charge, before.capturable - amount)
    change.keep(charge)
    change.keep(after)
    change.event("charge.captured", charge, charge.token)
    change.event("payment_intent.succeeded", after, charge.token)
    return after


def cancel(change: Change, request: CancelIntent) -> Intent:
    """End an intent that has not succeeded; a held amount is released."""
    before = request.intent
    if before.status in (SUCCEEDED, CANCELED):
        message = (
            f"You cannot cancel this PaymentIntent because it has a status of {before.status}. Only a "
            f"PaymentIntent with one of the following statuses may be canceled: {REQUIRES_METHOD}, {REQUIRES_CAPTURE}, "
            f"{REQUIRES_CONFIRMATION}, requires_action, processing."
        )
        raise unexpected_state(message, shapes.intent(before))
    token = before.token
    if before.status == REQUIRES_CAPTURE:
        assert before.charge is not None
        charge = replace(change.charge_of(before.charge), is_released=True)
        token = charge.token
        change.effect("release", charge, before.capturable)
        change.keep(charge)
        change.event("charge.refunded", charge, charge.token)
    after = replace(
        before, status=CANCELED, capturable=0, canceled_at=change.created, cancellation_reason=request.reason
    )
    change.keep(after)
    change.event("payment_intent.canceled", after, token)
    return after


def refund(change: Change, request: CreateRefund) -> Refund:
    """Give back all or a part of what a charge took."""
    before = change.charge_of(request.charge) if request.charge else None
    if before is None or not before.is_captured:
        message = f"This PaymentIntent ({request.intent_id}) does not have a successful charge to refund."
        raise not_possible(message, "payment_intent_unexpected_state")
    left = before.captured - before.refunded
    if left == 0:
        raise not_possible(f"Charge {before.id} has already been refunded.", "charge_already_refunded")
    amount = left if request.amount is None else request.amount
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})."
        raise not_possible(message, "amount_too_large", "amount")
    seq = len(change.ledger.refunds) + 1
    result = Refund(
        id=change.name("re", seq),
        seq=seq,
        created=change.created,
        intent=before.intent,
        charge=before.id,
        amount=amount,
        currency=before.currency,
        status="succeeded",
        reason=request.reason,
        metadata=request.metadata,
    )
    charge = replace(before, refunded=before.refunded + amount)
    change.effect("refund", charge, amount)
    change.keep(charge)
    change.keep(result)
    change.event("charge.refunded", charge, charge.token)
    change.event("refund.created", result, charge.token)
    return result


def _charge(change: Change, intent: Intent, how: How) -> Intent:
    """Put the intent's amount on its token: approved, held or declined."""
    assert intent.token is not None
    decline = tokens.DECLINES.get(intent.token) or (tokens.GENERIC if how.word == DECLINED else None)
    seq = len(change.ledger.charges) + 1
    charge = Charge(
        id=change.name("ch", seq),
        seq=seq,
        created=change.created,
        intent=intent.id,
        token=intent.token,
        amount=intent.amount,
        currency=intent.currency,
        metadata=intent.metadata,
        echoed=intent.echoed,
    )
    if decline is not None:
        raise _declined(change, intent, charge, decline)
    change.effect("auth", charge, charge.amount)
    if intent.capture_method == "manual":
        after = replace(
            intent, status=REQUIRES_CAPTURE, charge=charge.id, capturable=intent.amount, failure=None
        )
        told = "payment_intent.amount_capturable_updated"
    else:
        taken = how.taken_of(charge.amount, charge.currency)
        charge = replace(charge, captured=taken, is_captured=True)
        change.effect("capture", charge, taken)
        if taken < charge.amount:
            change.effect("release", charge, charge.amount - taken)
        after = replace(intent, status=SUCCEEDED, charge=charge.id, received=taken, failure=None)
        told = "payment_intent.succeeded"
    change.keep(charge)
    change.keep(after)
    change.event("charge.succeeded", charge, charge.token)
    change.event(told, after, charge.token)
    return after


def _declined(change: Change, intent: Intent, charge: Charge, decline: tokens.Decline) -> Declined:
    """The intent goes back and asks for another method; a failed charge remains."""
    failure = Failure(decline.code, decline.decline_code, decline.message, charge.token)
    charge = replace(charge, failure=failure)
    after = replace(intent, status=REQUIRES_METHOD, token=None, charge=charge.id, failure=failure)
    change.effect("decline", charge, charge.amount)
    change.keep(charge)
    change.keep(after)
    change.event("charge.failed", charge, charge.token)
    change.event("payment_intent.payment_failed", after, charge.token)
    return Declined(after, failure)
