"""What each POST call means: read its form, say whose money it is about, run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from paydrill.psp import (
    challenge,
    customers,
    disputes,
    machine,
    methods,
    reads,
    refunds,
    requests,
    shapes,
    webhook_endpoints,
)
from paydrill.psp.change import Change
from paydrill.psp.form import Form
from paydrill.psp.how import AS_USUAL, How
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import Refusal, missing
from paydrill.psp.requests import (
    CancelIntent,
    CancelRefund,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    DoChallenge,
    Post,
    Side,
    UpdateIntent,
    UpdateRefund,
)
from paydrill.psp.routes import Route
from paydrill.psp.state import Intent, Refund, State

Reader = Callable[[Ledger, Route, Form], Post]


def parse(ledger: Ledger, route: Route, form: Form) -> Post:
    """The typed request. Raises Refusal for all that can be refused before execution."""
    assert route.action is not None
    request = _READERS[route.action](ledger, route, form)
    reads.check_expand(_KINDS.get(route.collection, ""), request.expand)
    return request


def _intent(ledger: Ledger, route: Route) -> Intent:
    assert route.wanted is not None
    intent = ledger.intents.get(route.wanted)
    if intent is None:
        raise missing("payment_intent", route.wanted)
    return intent


def _refund(ledger: Ledger, route: Route) -> Refund:
    assert route.wanted is not None
    refund = ledger.refunds.get(route.wanted)
    if refund is None:
        raise missing("refund", route.wanted)
    return refund


_READERS: Mapping[str, Reader] = {
    "create": lambda ledger, route, form: requests.create_intent(ledger, form),
    "update": lambda ledger, route, form: requests.update_intent(ledger, _intent(ledger, route), form),
    "confirm": lambda ledger, route, form: requests.confirm_intent(ledger, _intent(ledger, route), form),
    "capture": lambda ledger, route, form: requests.capture_intent(_intent(ledger, route), form),
    "cancel": lambda ledger, route, form: requests.cancel_intent(_intent(ledger, route), form),
    "refund": lambda ledger, route, form: requests.create_refund(ledger, form),
    "update_refund": lambda ledger, route, form: requests.update_refund(_refund(ledger, route), form),
    "cancel_refund": lambda ledger, route, form: requests.cancel_refund(_refund(ledger, route), form),
    "challenge": challenge.read,
    "close_dispute": disputes.read_close,
    "create_customer": customers.create,
    "update_customer": customers.update,
    "create_method": methods.create,
    "attach": methods.read_attach,
    "detach": methods.read_detach,
    "create_endpoint": webhook_endpoints.create,
    "update_endpoint": webhook_endpoints.update,
    "delete_endpoint": webhook_endpoints.delete,
}
"""How each action of `routes` is read."""
_KINDS = {
    "payment_intents": "payment_intent",
    "refunds": "refund",
    "disputes": "dispute",
    "payment_methods": "payment_method",
}


def subject(ledger: Ledger, request: Post) -> tuple[str | None, str | None]:
    """The intent and the token that a request is about, as far as known before it runs."""
    match request:
        case CreateIntent():
            return None, request.token
        case CreateRefund():
            return request.intent_id, ledger.charges[request.charge].token if request.charge else None
        case UpdateIntent() | ConfirmIntent() if request.token is not None:
            return request.intent.id, request.token
        case UpdateRefund() | CancelRefund():
            return subject_of(ledger, request.refund.id)
        case Side():
            return request.about
        case _:
            return subject_of(ledger, request.intent.id)


def subject_of(ledger: Ledger, wanted: str) -> tuple[str | None, str | None]:
    """The intent and the token behind any id.

    An intent that lost its token after a decline still has its charge's.
    """
    intent, charge, refund, dispute = (
        ledger.intents.get(wanted),
        ledger.charges.get(wanted),
        ledger.refunds.get(wanted),
        ledger.disputes.get(wanted),
    )
    if intent is not None and intent.charge is None:
        return intent.id, intent.token
    if intent is not None and intent.charge is not None:
        return intent.id, intent.token or ledger.charges[intent.charge].token
    below = refund or dispute
    if below is not None:
        charge = ledger.charges.get(below.charge)
    return (charge.intent, charge.token) if charge is not None else (None, None)


def moves_money(request: Post) -> bool:
    """Create with confirm, confirm, capture, refund."""
    return charges_card(request) or isinstance(request, CaptureIntent | CreateRefund)


def charges_card(request: Post) -> bool:
    return isinstance(request, ConfirmIntent) or (isinstance(request, CreateIntent) and request.confirm)


def run(change: Change, request: Post, how: How = AS_USUAL) -> tuple[int, bytes]:
    """Status and body of the operation's own result; what it does stands in `change`."""
    try:
        wire = _apply(change, request, how)
    except machine.Declined as declined:
        return 402, orjson.dumps(declined.refusal().envelope())
    except Refusal as refusal:
        change.forget()
        return refusal.status, orjson.dumps(refusal.envelope())
    return 200, orjson.dumps(reads.expand(wire, request.expand, change.find))


def _apply(change: Change, request: Post, how: How) -> shapes.Wire:
    match request:
        case DoChallenge():
            return {"status": challenge.run(change, request)}
        case Side():
            return request.wire(request.run(change))
        case _:
            return shapes.wire_of(_state(change, request, how))


def _state(
    change: Change,
    request: CreateIntent
    | UpdateIntent
    | ConfirmIntent
    | CaptureIntent
    | CancelIntent
    | CreateRefund
    | UpdateRefund
    | CancelRefund,
    how: How,
) -> State:
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
            return refunds.create(change, request, how)
        case UpdateRefund():
            return refunds.update(change, request)
        case CancelRefund():
            return refunds.cancel(change, request)
