"""What each POST call means: read its form, say whose money it is about, run it."""

from __future__ import annotations

import orjson

from paydrill.psp import machine, reads, requests, shapes
from paydrill.psp.change import Change
from paydrill.psp.form import Form
from paydrill.psp.how import How
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import Refusal, missing
from paydrill.psp.requests import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    Post,
    UpdateIntent,
)
from paydrill.psp.routes import Route
from paydrill.psp.state import State


def parse(ledger: Ledger, route: Route, form: Form) -> Post:
    """The typed request. Raises Refusal for all that can be refused before execution."""
    match route.action:
        case "create":
            request: Post = requests.create_intent(form)
        case "refund":
            request = requests.create_refund(ledger, form)
        case _:
            request = _parse_on_intent(ledger, route, form)
    reads.check_expand("refund" if route.action == "refund" else "payment_intent", request.expand)
    return request


def _parse_on_intent(ledger: Ledger, route: Route, form: Form) -> Post:
    assert route.wanted is not None
    intent = ledger.intents.get(route.wanted)
    if intent is None:
        raise missing("payment_intent", route.wanted)
    match route.action:
        case "update":
            return requests.update_intent(intent, form)
        case "confirm":
            return requests.confirm_intent(intent, form)
        case "capture":
            return requests.capture_intent(intent, form)
        case _:
            return requests.cancel_intent(intent, form)


def subject(ledger: Ledger, request: Post) -> tuple[str | None, str | None]:
    """The intent and the token that a request is about, as far as known before it runs."""
    match request:
        case CreateIntent():
            return None, request.token
        case CreateRefund():
            return request.intent_id, ledger.charges[request.charge].token if request.charge else None
        case UpdateIntent() | ConfirmIntent() if request.token is not None:
            return request.intent.id, request.token
        case _:
            return subject_of(ledger, request.intent.id)


def subject_of(ledger: Ledger, wanted: str) -> tuple[str | None, str | None]:
    """The intent and the token behind any id.

    An intent that lost its token after a decline still has its charge's.
    """
    intent, charge, refund = (
        ledger.intents.get(wanted),
        ledger.charges.get(wanted),
        ledger.refunds.get(wanted),
    )
    if intent is not None and intent.charge is None:
        return intent.id, intent.token
    if intent is not None and intent.charge is not None:
        return intent.id, intent.token or ledger.charges[intent.charge].token
    if refund is not None:
        charge = ledger.charges.get(refund.charge)
    return (charge.intent, charge.token) if charge is not None else (None, None)


def moves_money(request: Post) -> bool:
    """Create with confirm, confirm, capture, refund."""
    return charges_card(request) or isinstance(request, CaptureIntent | CreateRefund)


def charges_card(request: Post) -> bool:
    return isinstance(request, ConfirmIntent) or (isinstance(request, CreateIntent) and request.confirm)


def run(change: Change, request: Post, how: How) -> tuple[int, bytes]:
    """Status and body of the operation's own result; what it does stands in `change`."""
    try:
        state = _apply(change, request, how)
    except machine.Declined as declined:
        return 402, orjson.dumps(declined.refusal().envelope())
    except Refusal as refusal:
        change.forget()
        return refusal.status, orjson.dumps(refusal.envelope())
    wire = reads.expand(shapes.wire_of(state), request.expand, change.find)
    return 200, orjson.dumps(wire)


def _apply(change: Change, request: Post, how: How) -> State:
    match request:
        case CreateIntent():
            return machine.create(change, request, how)
        case UpdateIntent():
            return machine.update(change, request)
        case ConfirmIntent():
            return machine.confirm(change, request, how)
        case CaptureIntent():
            return machine.capture(change, request)
        case CancelIntent():
            return machine.cancel(change, request)
        case CreateRefund():
            return machine.refund(change, request)
