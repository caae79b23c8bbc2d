"""The challenge that a customer's bank asks for (3-D Secure): `POST /challenge/<pi id>`, no API key.

An extension of ours in place of the page that a browser would show: JSON `{"outcome": "approve"}`,
or `refuse`. Journalled like any request, as `challenge`.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import orjson

from paydrill.psp import machine, tokens
from paydrill.psp.change import Change
from paydrill.psp.form import Fields, Form
from paydrill.psp.how import AS_USUAL
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import INVALID, Refusal, bad_parameter, missing
from paydrill.psp.requests import DoChallenge
from paydrill.psp.routes import Route
from paydrill.psp.state import REQUIRES_ACTION, REQUIRES_METHOD, Failure, Intent

PREFIX = "/challenge/"
_OUTCOMES = ("approve", "refuse")


def form_text(body: bytes) -> tuple[str, Refusal | None]:
    """The JSON of a browser as a form, so that it goes the same way as every request."""
    wrong = bad_parameter('Invalid request body: expected JSON such as {"outcome": "approve"}.', None)
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", wrong
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        return "", wrong
    return urlencode(given), None


def read(ledger: Ledger, route: Route, form: Form) -> DoChallenge:
    """Raises Refusal: 404 for an unknown intent, 400 for an outcome that is none."""
    assert route.wanted is not None
    intent = ledger.intents.get(route.wanted)
    if intent is None:
        raise missing("payment_intent", route.wanted)
    fields = Fields(form, {"outcome"})
    fields.required("outcome")
    return DoChallenge(intent, fields.choice("outcome", _OUTCOMES) == "approve")


def run(change: Change, request: DoChallenge) -> str:
    """The status of the intent that the challenge led to, again the same when it was done before.

    Raises Refusal (409) when the intent waits for no challenge.
    """
    intent = request.intent
    if intent.status == REQUIRES_ACTION:
        after = _approved(change, intent) if request.approves else _refused(change, intent)
        change.keep(replace(after, challenged=after.status))
        return after.status
    if intent.challenged is not None:
        return intent.challenged
    message = f"This PaymentIntent ({intent.id}) waits for no challenge: it has a status of {intent.status}."
    raise Refusal(409, INVALID, message, code="payment_intent_unexpected_state", stopped_by=None)


def _approved(change: Change, intent: Intent) -> Intent:
    """Charged, unless the card is one that is declined after its challenge."""
    assert intent.token is not None
    charge = machine.new_charge(change, intent, AS_USUAL, is_authenticated=True)
    refusal = change.card_of(intent.token).decline
    if refusal is not None:
        return machine.decline(change, intent, charge, refusal).intent
    return machine.approve(change, intent, charge)


def _refused(change: Change, intent: Intent) -> Intent:
    """The intent asks for another method; there was never a charge."""
    assert intent.token is not None
    why = tokens.CHALLENGE_REFUSED
    card = change.name_of_card(intent.token)
    failure = Failure(why.code, why.decline_code, why.message, intent.token, why.type, card)
    after = replace(intent, status=REQUIRES_METHOD, token=None, failure=failure)
    change.refusal(intent, intent.token)
    change.keep(after)
    change.event("payment_intent.payment_failed", after, intent.token)
    return after
