"""Objects as Stripe writes them in JSON. Keys and nulls follow Stripe's published schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from paydrill.psp.state import Charge, Event, Failure, Intent, Refund, State

Wire: TypeAlias = dict[str, Any]

API_VERSION = "2026-10-28.endive"
_INTENT_NULLS = (
    "application",
    "application_fee_amount",
    "customer",
    "description",
    "next_action",
    "on_behalf_of",
    "payment_method_configuration_details",
    "processing",
    "receipt_email",
    "review",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
)
_CHARGE_NULLS = (
    "application",
    "application_fee",
    "application_fee_amount",
    "customer",
    "description",
    "failure_balance_transaction",
    "on_behalf_of",
    "receipt_email",
    "receipt_number",
    "review",
    "shipping",
    "source_transfer",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
)
_BILLING: Wire = {
    "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
    "email": None,
    "name": None,
    "phone": None,
    "tax_id": None,
}


def intent(state: Intent) -> Wire:
    wire: Wire = {
        "id": state.id,
        "object": "payment_intent",
        "amount": state.amount,
        "amount_capturable": state.capturable,
        "amount_details": {"tip": {}},
        "amount_received": state.received,
        "automatic_payment_methods": None,
        "canceled_at": state.canceled_at,
        "cancellation_reason": state.cancellation_reason,
        "capture_method": state.capture_method,
        "client_secret": f"{state.id}_secret_{state.id[-16:]}",
        "confirmation_method": "automatic",
        "created": state.created,
        "currency": state.currency,
        "last_payment_error": None,
        "latest_charge": state.charge,
        "livemode": False,
        "metadata": state.metadata,
        "payment_method": state.token,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "status": state.status,
    }
    wire.update(dict.fromkeys(_INTENT_NULLS))
    wire.update(state.echoed)
    if state.failure is not None:
        wire["last_payment_error"] = card_error(state.failure, state.charge)
    return wire


def charge(state: Charge) -> Wire:
    failed = state.failure
    wire: Wire = {
        "id": state.id,
        "object": "charge",
        "amount": state.amount,
        "amount_captured": state.captured,
        "amount_refunded": state.refunded,
        "balance_transaction": f"txn_{state.id[3:]}" if state.is_captured else None,
        "billing_details": _BILLING,
        "calculated_statement_descriptor": "PAYDRILL",
        "captured": state.is_captured,
        "created": state.created,
        "currency": state.currency,
        "disputed": False,
        "failure_code": failed.code if failed else None,
        "failure_message": failed.message if failed else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": state.metadata,
        "outcome": _outcome(failed),
        "paid": failed is None,
        "payment_intent": state.intent,
        "payment_method": state.token,
        "payment_method_details": {"type": "card", "card": _card()},
        "radar_options": {},
        "receipt_url": None,
        "refunded": (state.is_captured and state.refunded >= state.captured) or state.is_released,
        "status": "failed" if failed else "succeeded",
    }
    wire.update(dict.fromkeys(_CHARGE_NULLS))
    wire.update({name: value for name, value in state.echoed.items() if name in _CHARGE_NULLS})
    return wire


def refund(state: Refund) -> Wire:
    return {
        "id": state.id,
        "object": "refund",
        "amount": state.amount,
        "balance_transaction": f"txn_{state.id[3:]}",
        "charge": state.charge,
        "created": state.created,
        "currency": state.currency,
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": state.metadata,
        "payment_intent": state.intent,
        "reason": state.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": state.status,
        "transfer_reversal": None,
    }


def event(state: Event, pending_webhooks: int) -> Wire:
    return {
        "id": state.id,
        "object": "event",
        "api_version": API_VERSION,
        "created": state.created,
        "data": {"object": wire_of(state.state)},
        "livemode": False,
        "pending_webhooks": pending_webhooks,
        "request": {"id": request_id(state.req), "idempotency_key": state.idem_key},
        "type": state.type,
    }


def wire_of(state: State) -> Wire:
    match state:
        case Intent():
            return intent(state)
        case Charge():
            return charge(state)
        case Refund():
            return refund(state)


def listing(path: str, items: Sequence[Wire], has_more: bool) -> Wire:
    return {"object": "list", "url": path, "has_more": has_more, "data": list(items)}


def card_error(failure: Failure, charge_id: str | None) -> Wire:
    """The inner object of a 402, and of `last_payment_error`."""
    wire: Wire = {
        "type": "card_error",
        "code": failure.code,
        "message": failure.message,
        "charge": charge_id,
        "doc_url": f"https://stripe.com/docs/error-codes/{failure.code.replace('_', '-')}",
        "payment_method": payment_method(failure.token),
    }
    if failure.decline_code:
        wire["decline_code"] = failure.decline_code
    return wire


def payment_method(token: str) -> Wire:
    return {
        "id": token,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": _BILLING,
        "card": {**_card(), "wallet": None},
        "created": 0,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def request_id(req: int) -> str:
    return f"req_{req:014d}"


def _outcome(failed: Failure | None) -> Mapping[str, Any]:
    return {
        "network_status": "declined_by_network" if failed else "approved_by_network",
        "reason": (failed.decline_code or failed.code) if failed else None,
        "risk_level": "normal",
        "seller_message": "The bank did not return any further details with this decline."
        if failed
        else "Payment complete.",
        "type": "issuer_declined" if failed else "authorized",
    }


def _card() -> Wire:
    return {
        "brand": "visa",
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": "paydrill00000000",
        "funding": "credit",
        "last4": "4242",
    }
