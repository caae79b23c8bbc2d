"""Objects as Stripe writes them in JSON. Keys and nulls follow Stripe's published schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from paydrill.psp import tokens
from paydrill.psp.cards import harness_method
from paydrill.psp.state import (
    PROCESSING,
    REQUIRES_ACTION,
    Charge,
    Customer,
    Dispute,
    Endpoint,
    Event,
    Failure,
    Intent,
    Method,
    Refund,
    State,
)

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
_EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)
_EVIDENCE_S = 7 * 24 * 3600
_PLAIN = tokens.Card()
_AUTHENTICATED: Wire = {
    "authentication_flow": "challenge",
    "electronic_commerce_indicator": "05",
    "exemption_indicator": None,
    "result": "authenticated",
    "result_reason": None,
    "transaction_id": None,
    "version": "2.2.0",
}
_ADDRESS: Wire = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_BILLING: Wire = {
    "address": _ADDRESS,
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
    if state.status == REQUIRES_ACTION:
        wire["next_action"] = {
            "type": "redirect_to_url",
            "redirect_to_url": {"url": state.challenge, "return_url": state.return_url},
        }
    if state.status == PROCESSING:
        wire["processing"] = {"type": "card", "card": {}}
    return wire


def charge_status(state: Charge) -> str:
    if state.failure is not None:
        return "failed"
    return "pending" if state.is_pending else "succeeded"


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
        "disputed": state.disputed > 0,
        "failure_code": failed.code if failed else None,
        "failure_message": failed.message if failed else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": state.metadata,
        "outcome": _outcome(state),
        "paid": failed is None and not state.is_pending,
        "payment_intent": state.intent,
        "payment_method": state.token,
        "payment_method_details": {"type": "card", "card": _card_details(state)},
        "radar_options": {},
        "receipt_url": None,
        "refunded": state.is_captured and state.refunded >= state.captured,
        "status": charge_status(state),
    }
    wire.update(dict.fromkeys(_CHARGE_NULLS))
    wire.update({name: value for name, value in state.echoed.items() if name in _CHARGE_NULLS})
    return wire


def refund(state: Refund) -> Wire:
    wire: Wire = {
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
    if state.status == "pending":
        wire["pending_reason"] = "processing"
        wire["balance_transaction"] = None
    if state.failure is not None:
        wire["failure_reason"] = state.failure
        wire["failure_balance_transaction"] = f"txn_f{state.id[3:]}"
    return wire


def dispute(state: Dispute) -> Wire:
    """A chargeback of which no evidence was given."""
    evidence: Wire = dict.fromkeys(_EVIDENCE)
    evidence["enhanced_evidence"] = {}
    return {
        "id": state.id,
        "object": "dispute",
        "amount": state.amount,
        "balance_transactions": [],
        "charge": state.charge,
        "created": state.created,
        "currency": state.currency,
        "enhanced_eligibility_types": [],
        "evidence": evidence,
        "evidence_details": {
            "due_by": state.created + _EVIDENCE_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": state.intent,
        "payment_method_details": {
            "type": "card",
            "card": {
                "brand": "visa",
                "case_type": "chargeback",
                "network": "visa",
                "network_reason_code": "10.4",
            },
        },
        "reason": state.reason,
        "status": state.status,
    }


def customer(state: Customer) -> Wire:
    wire: Wire = {
        "id": state.id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": state.created,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": state.id[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": state.metadata,
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    wire.update(state.echoed)
    if isinstance(state.echoed.get("address"), dict):
        wire["address"] = {**_ADDRESS, **state.echoed["address"]}
    return wire


def endpoint(state: Endpoint) -> Wire:
    if state.deleted:
        return {"id": state.id, "object": "webhook_endpoint", "deleted": True}
    return {
        "id": state.id,
        "object": "webhook_endpoint",
        "api_version": None,
        "application": None,
        "created": state.created,
        "description": state.description,
        "enabled_events": list(state.events),
        "livemode": False,
        "metadata": state.metadata,
        "status": "enabled" if state.enabled else "disabled",
        "url": state.url,
    }


def balance(amounts: Mapping[str, int]) -> Wire:
    """Everything is available at once; `amounts` by currency."""
    available = [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in sorted(amounts.items())
    ]
    nothing = [
        {"amount": 0, "currency": currency, "source_types": {"card": 0}} for currency in sorted(amounts)
    ]
    return {"object": "balance", "available": available, "livemode": False, "pending": nothing}


def event(state: Event, pending_webhooks: int) -> Wire:
    return {
        "id": state.id,
        "object": "event",
        "api_version": API_VERSION,
        "created": state.created,
        "data": {"object": wire_of(state.state)},
        "livemode": False,
        "pending_webhooks": pending_webhooks,
        "request": {
            "id": None if state.req is None else request_id(state.req),
            "idempotency_key": state.idem_key,
        },
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
        case Dispute():
            return dispute(state)
        case Customer():
            return customer(state)
        case Method():
            return method(state)
        case Endpoint():
            return endpoint(state)


def search_page(path: str, items: Sequence[Wire], next_page: str | None) -> Wire:
    return {
        "object": "search_result",
        "url": path,
        "has_more": next_page is not None,
        "next_page": next_page,
        "data": list(items),
    }


def listing(path: str, items: Sequence[Wire], has_more: bool) -> Wire:
    return {"object": "list", "url": path, "has_more": has_more, "data": list(items)}


def card_error(failure: Failure, charge_id: str | None) -> Wire:
    """The inner object of a 402, and of `last_payment_error`."""
    wire: Wire = {
        "type": failure.type,
        "code": failure.code,
        "message": failure.message,
        "doc_url": f"https://stripe.com/docs/error-codes/{failure.code.replace('_', '-')}",
        "payment_method": method(_known(failure)),
    }
    if charge_id is not None:
        wire["charge"] = charge_id
    if failure.decline_code:
        wire["decline_code"] = failure.decline_code
    return wire


def _known(failure: Failure) -> Method:
    """What the error of a decline shows of the card."""
    return harness_method(failure.token) or Method(failure.token, 0, 0, failure.card or failure.token)


def method(state: Method) -> Wire:
    billing = state.echoed.get("billing_details", {})
    return {
        "id": state.id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            **_BILLING,
            **billing,
            "address": {**_ADDRESS, **(billing.get("address") or {})},
        },
        "card": {**_card(tokens.card(state.card) or _PLAIN), "wallet": None},
        "created": state.created,
        "customer": state.customer,
        "livemode": False,
        "metadata": state.metadata,
        "type": "card",
    }


def request_id(req: int) -> str:
    return f"req_{req:014d}"


def _outcome(state: Charge) -> Mapping[str, Any] | None:
    failed = state.failure
    if state.is_pending:
        return None
    return {
        "network_status": "declined_by_network" if failed else "approved_by_network",
        "reason": (failed.decline_code or failed.code) if failed else None,
        "risk_level": "normal",
        "seller_message": "The bank did not return any further details with this decline."
        if failed
        else "Payment complete.",
        "type": "issuer_declined" if failed else "authorized",
    }


def _card_details(state: Charge) -> Wire:
    """Of a charge; what was shown to the bank and what the bank agreed to."""
    details = {**_card(tokens.card(state.card or state.token) or _PLAIN), "three_d_secure": None}
    if state.is_authenticated:
        details["three_d_secure"] = _AUTHENTICATED
    if state.capture_before is not None:
        details["capture_before"] = state.capture_before
        details["multicapture"] = {"status": "available"}
    return details


def _card(card: tokens.Card) -> Wire:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"paydrill0000{card.last4}",
        "funding": "credit",
        "last4": card.last4,
    }
