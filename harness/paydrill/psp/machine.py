"""The state machine: what each executed operation does to intents and their charges.

Every function puts all that it does into a Change and returns the object to answer with, or raises a
Refusal for what the state does not allow. Nothing here writes, waits or looks at a clock.

`how` is the behaviour that was drawn for an execution. The card's own decline comes before it, its
other ways give way to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from paydrill.psp import later, methods, shapes, tokens
from paydrill.psp.change import Change
from paydrill.psp.how import AS_USUAL, DECLINED, How
from paydrill.psp.refusals import Refusal, executed, not_possible, unexpected_state, used_token
from paydrill.psp.requests import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    Presence,
    UpdateIntent,
)
from paydrill.psp.state import (
    CANCELED,
    PROCESSING,
    REQUIRES_ACTION,
    REQUIRES_CAPTURE,
    REQUIRES_CONFIRMATION,
    REQUIRES_METHOD,
    SUCCEEDED,
    Charge,
    Failure,
    Intent,
)

_OPEN = (REQUIRES_METHOD, REQUIRES_CONFIRMATION, REQUIRES_ACTION)


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
    """A new intent; confirmed at once when asked. Raises Declined, Refusal."""
    seq = len(change.ledger.intents) + 1
    token = _method(change, request.token, request.echoed.get("customer"))
    intent = Intent(
        id=change.name("pi", seq),
        seq=seq,
        created=change.created,
        amount=request.amount,
        currency=request.currency,
        capture_method=request.capture_method,
        status=REQUIRES_CONFIRMATION if token else REQUIRES_METHOD,
        token=token,
        metadata=request.metadata,
        echoed=request.echoed,
    )
    change.keep(intent)
    change.event("payment_intent.created", intent, token)
    return _pay(change, intent, how, request.presence) if request.confirm else intent


def update(change: Change, request: UpdateIntent) -> Intent:
    """Metadata and descriptions at any time, money only before it is confirmed. Raises Refusal."""
    before = request.intent
    money = (request.amount, request.currency, request.capture_method, request.token)
    changes_money = any(item is not None for item in money)
    if changes_money and before.status not in _OPEN:
        message = (
            "This PaymentIntent's amount, currency, capture_method and payment_method could not be updated "
            f"because it has a status of {before.status}."
        )
        raise unexpected_state(message, shapes.intent(before))
    token = _method(change, request.token, request.echoed.get("customer"))
    after = replace(
        before,
        amount=before.amount if request.amount is None else request.amount,
        currency=request.currency or before.currency,
        capture_method=request.capture_method or before.capture_method,
        token=token or before.token,
        metadata=request.metadata,
        echoed=request.echoed,
    )
    if changes_money:
        # Also from requires_action: what the customer was asked to agree to is another payment now.
        after = replace(after, status=REQUIRES_CONFIRMATION if after.token else REQUIRES_METHOD)
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
    token = _method(change, request.token, request.echoed.get("customer")) or before.token
    if token is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
            "update the PaymentIntent with a payment method and then confirm it again, or confirm it again "
            "directly with a payment method."
        )
        raise unexpected_state(message, shapes.intent(before))
    intent = replace(
        before,
        token=token,
        capture_method=request.capture_method or before.capture_method,
        echoed=request.echoed,
    )
    return _pay(change, intent, how, request.presence)


def capture(change: Change, request: CaptureIntent) -> Intent:
    """Take a held amount, or a part of it: the rest is released, or stays held when this is not the end."""
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
    charge, rest = change.charge_of(before.charge), before.capturable - amount
    final = request.final or rest == 0
    charge = replace(charge, captured=charge.captured + amount, is_captured=final)
    after = replace(before, received=before.received + amount, capturable=rest, metadata=request.metadata)
    if amount:
        change.effect("capture", charge, amount)
    if final:
        after = replace(after, status=SUCCEEDED, capturable=0)
    if final and rest:
        change.effect("release", charge, rest)
    change.keep(charge)
    change.keep(after)
    change.event("charge.captured" if final else "charge.updated", charge, charge.token)
    told = "payment_intent.succeeded" if final else "payment_intent.amount_capturable_updated"
    change.event(told, after, charge.token)
    if amount and not before.received:
        _expect_dispute(change, charge)
    return after


def cancel(change: Change, request: CancelIntent) -> Intent:
    """End an intent that has not succeeded; a held amount is released. Raises Refusal."""
    before = request.intent
    if before.status in (SUCCEEDED, CANCELED, PROCESSING):
        message = (
            f"You cannot cancel this PaymentIntent because it has a status of {before.status}. Only a "
            f"PaymentIntent with one of the following statuses may be canceled: {REQUIRES_METHOD}, "
            f"{REQUIRES_CAPTURE}, {REQUIRES_CONFIRMATION}, {REQUIRES_ACTION}."
        )
        raise unexpected_state(message, shapes.intent(before))
    token = before.token
    if before.status == REQUIRES_CAPTURE:
        assert before.charge is not None
        charge = close_hold(change.charge_of(before.charge))
        token = charge.token
        change.effect("release", charge, before.capturable)
        change.keep(charge)
    return end(change, before, request.reason, token)


def close_hold(charge: Charge) -> Charge:
    """How a charge is once its hold is gone: captured only if a part of it was."""
    return replace(charge, is_released=True, is_captured=charge.captured > 0)


def end(change: Change, before: Intent, reason: str | None, token: str | None) -> Intent:
    """The intent is canceled."""
    after = replace(
        before, status=CANCELED, capturable=0, canceled_at=change.created, cancellation_reason=reason
    )
    change.keep(after)
    change.event("payment_intent.canceled", after, token)
    return after


def approve(change: Change, intent: Intent, charge: Charge, how: How = AS_USUAL) -> Intent:
    """The bank agrees: the amount is held, and captured at once unless the merchant wants to."""
    charge = replace(charge, is_pending=False)
    change.effect("auth", charge, charge.amount)
    if intent.capture_method == "manual":
        charge, after = _hold(change, intent, charge)
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
    if charge.how == tokens.LATE_DECLINE:
        change.later(later.LATE_DECLINE, charge.id, intent.id, _s(charge, change.terms.late_decline_s))
    if charge.is_captured:
        _expect_dispute(change, charge)
    _save_card(change, intent)
    return after


def _save_card(change: Change, intent: Intent) -> None:
    """With `setup_future_usage` a card that was approved belongs to the customer from then on."""
    customer = intent.echoed.get("customer")
    if intent.token is None or customer is None or not intent.echoed.get("setup_future_usage"):
        return
    method = change.method_of(intent.token)
    if method is not None and method.customer is None:
        methods.attach(change, intent.token, customer)


def _hold(change: Change, intent: Intent, charge: Charge) -> tuple[Charge, Intent]:
    """Held until somebody captures it, at most for the life of an authorisation."""
    life_s = change.terms.auth_life_s
    if charge.how == tokens.EXPIRES:
        life_s = _s(charge, life_s)
    charge = replace(charge, capture_before=change.created + int(life_s))
    change.later(later.EXPIRE, charge.id, intent.id, life_s)
    return charge, replace(
        intent, status=REQUIRES_CAPTURE, charge=charge.id, capturable=intent.amount, failure=None
    )


def decline(change: Change, intent: Intent, charge: Charge, why: tokens.Decline) -> Declined:
    """The intent goes back and asks for another method; a failed charge remains."""
    failure = Failure(why.code, why.decline_code, why.message, charge.token, why.type, charge.card)
    charge = replace(charge, failure=failure, is_pending=False)
    after = replace(intent, status=REQUIRES_METHOD, token=None, charge=charge.id, failure=failure)
    change.effect("decline", charge, charge.amount)
    change.keep(charge)
    change.keep(after)
    change.event("charge.failed", charge, charge.token)
    change.event("payment_intent.payment_failed", after, charge.token)
    return Declined(after, failure)


def new_charge(change: Change, intent: Intent, how: How, is_authenticated: bool = False) -> Charge:
    """The intent's amount on its token, not decided yet."""
    assert intent.token is not None
    seq = len(change.ledger.charges) + 1
    return Charge(
        id=change.name("ch", seq),
        seq=seq,
        created=change.created,
        intent=intent.id,
        token=intent.token,
        amount=intent.amount,
        currency=intent.currency,
        metadata=intent.metadata,
        echoed=intent.echoed,
        card=change.name_of_card(intent.token),
        how=how.word,
        after_s=how.after_s,
        is_authenticated=is_authenticated,
    )


def _pay(change: Change, intent: Intent, how: How, presence: Presence) -> Intent:
    """Put the intent's amount on its token: approved, held, declined, or to be decided later."""
    assert intent.token is not None
    card = change.card_of(intent.token)
    if how.word is None:
        how = How(card.how)
    refusal = None if how.word == tokens.CHALLENGE else card.decline
    if refusal is None and how.word == DECLINED:
        refusal = tokens.GENERIC
    if how.word == tokens.CHALLENGE and not presence.may_act:
        refusal = tokens.AUTHENTICATION_REQUIRED
    if refusal is not None:
        raise decline(change, intent, new_charge(change, intent, AS_USUAL), refusal)
    if how.word == tokens.CHALLENGE:
        return _ask(change, intent, presence)
    charge = new_charge(change, intent, how)
    if how.word in (tokens.ASYNC, tokens.ASYNC_FAIL):
        return _begin(change, intent, charge)
    return approve(change, intent, charge, how)


def _ask(change: Change, intent: Intent, presence: Presence) -> Intent:
    """The customer's bank wants to see the customer; nothing is charged yet."""
    after = replace(
        intent,
        status=REQUIRES_ACTION,
        challenge=f"{change.base_url}/challenge/{intent.id}",
        challenged=None,
        return_url=presence.return_url,
        failure=None,
    )
    change.keep(after)
    change.event("payment_intent.requires_action", after, after.token)
    return after


def _begin(change: Change, intent: Intent, charge: Charge) -> Intent:
    """A method whose bank answers later."""
    charge = replace(charge, is_pending=True)
    after = replace(intent, status=PROCESSING, charge=charge.id, failure=None)
    change.effect(pending_kind(intent), charge, charge.amount, status="pending")
    change.keep(charge)
    change.keep(after)
    change.event("charge.pending", charge, charge.token)
    change.event("payment_intent.processing", after, charge.token)
    what = later.FAIL if charge.how == tokens.ASYNC_FAIL else later.SETTLE
    change.later(what, charge.id, intent.id, _s(charge, change.terms.async_s))
    return after


def pending_kind(intent: Intent) -> Literal["auth", "capture"]:
    """What an asynchronous charge will have done when it succeeds."""
    return "auth" if intent.capture_method == "manual" else "capture"


def _s(charge: Charge, usual_s: float) -> float:
    """How long what comes later takes: as the behaviour says that was drawn for this charge, or as usual."""
    return usual_s if charge.after_s is None else charge.after_s


def _expect_dispute(change: Change, charge: Charge) -> None:
    """A card that charges back does so once it was captured the first time."""
    if charge.how == tokens.DISPUTED:
        change.later(later.DISPUTE, charge.id, charge.intent, _s(charge, change.terms.dispute_s))


def _method(change: Change, token: str | None, customer: object) -> str | None:
    """The payment method of a request; Stripe's names for test cards become one of their own.

    Raises Refusal for one that was detached, or that belongs to a customer who is not named.
    """
    if token is None:
        return None
    if token in tokens.ALIASES:
        made = methods.made(change, token)
        change.keep(made)
        return made.id
    method = change.method_of(token)
    if method is None:
        return token
    if method.detached:
        raise executed(used_token())
    belongs = method.customer if tokens.harness_number(token) is None else None
    if belongs is not None and customer is None:
        message = (
            "The payment method you provided is attached to a customer so for security purposes you must "
            "provide the customer in the request."
        )
        raise not_possible(message, None, "payment_method")
    if belongs is not None and belongs != customer:
        message = f"The payment method you provided ({token}) does not belong to the customer {customer}."
        raise not_possible(message, None, "payment_method")
    return token
