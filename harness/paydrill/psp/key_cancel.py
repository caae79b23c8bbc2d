"""`POST /v1/cancel_by_key`: whatever came of the payment with that idempotency key, undo it (Square).

It succeeds also when nothing was found, and the key is refused from then on, so that a payment that
is still on its way cannot come through afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from paydrill.psp import operations, shapes
from paydrill.psp.change import Change
from paydrill.psp.form import Fields, Form
from paydrill.psp.how import AS_USUAL
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import key_cancelled
from paydrill.psp.requests import Post
from paydrill.psp.routes import Route, match
from paydrill.psp.shapes import Wire
from paydrill.psp.state import CANCELED, SUCCEEDED, Intent, KeyRecord

PATH = "/v1/cancel_by_key"
ROUTE = Route(f"POST {PATH}", "cancel_by_key", action="cancel_by_key")
CANCELLED = "cancelled"
"""The fingerprint of a key that was cancelled: no request has such a one."""


@dataclass(frozen=True)
class CancelByKey:
    """`intent` is the payment that the key made, if any."""

    key: str
    intent: Intent | None
    endpoint: str


def parse(ledger: Ledger, form: Form) -> CancelByKey:
    """Raises Refusal when no key is named."""
    key = Fields(form, {"idempotency_key"}).required("idempotency_key")
    record = ledger.keys.get(key)
    if record is None:
        return CancelByKey(key, None, "")
    return CancelByKey(key, _made(ledger, record), record.endpoint)


def run(change: Change, request: CancelByKey) -> tuple[int, bytes]:
    """Releases a hold, gives back what was taken, ends what is open. 400 only for what cannot be undone now."""
    told: Wire | None = None
    if request.intent is not None:
        undo = _undoing(change, request.intent)
        status, body = operations.run(change, undo, AS_USUAL) if undo is not None else (200, b"")
        if status != 200:
            return status, body
        told = shapes.wire_of(change.find(request.intent.id) or request.intent)
    answer = {"object": "cancel_by_key", "idempotency_key": request.key, "payment_intent": told}
    return 200, orjson.dumps(answer)


def record(change: Change, request: CancelByKey, req: int) -> KeyRecord:
    """Of a key that was cancelled: what it answers from now on, in place of what it kept."""
    made = change.find(request.intent.id) if request.intent is not None else None
    refused = key_cancelled(request.key, shapes.wire_of(made) if made is not None else None)
    body = orjson.dumps(refused.envelope()).decode()
    return KeyRecord(request.key, request.endpoint, CANCELLED, refused.status, body, req)


def _made(ledger: Ledger, record: KeyRecord) -> Intent | None:
    """The intent of a kept answer, by its id or by the one in the error of a decline or a cancelled key."""
    try:
        body = orjson.loads(record.body)
    except orjson.JSONDecodeError:
        return None
    told = body.get("error", {}).get("payment_intent") or body
    return ledger.intents.get(str(told.get("id")))


def _undoing(change: Change, intent: Intent) -> Post | None:
    """The call that undoes a payment; None when nothing is left to undo."""
    if intent.status == CANCELED:
        return None
    if intent.status != SUCCEEDED:
        return _call(change, f"/v1/payment_intents/{intent.id}/cancel", {})
    assert intent.charge is not None
    charge = change.charge_of(intent.charge)
    if charge.refunded >= charge.captured:
        return None
    return _call(change, "/v1/refunds", {"payment_intent": intent.id})


def _call(change: Change, path: str, form: Form) -> Post:
    route = match("POST", path)
    assert route is not None
    return operations.parse(change.ledger, route, form)
