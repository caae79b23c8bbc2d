"""Forms of POST calls, read into typed requests: everything that can be refused before execution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from paydrill.psp import money, tokens
from paydrill.psp.form import Fields, Form
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import bad_parameter, missing
from paydrill.psp.state import Intent

CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
CANCEL_REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
REFUND_REASONS = ("duplicate", "fraudulent", "requested_by_customer")

_ECHOED = (
    "customer",
    "description",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
_COMMON = {*_ECHOED, "amount", "currency", "metadata", "payment_method", "payment_method_types", "expand"}
_ON_CONFIRM = {"off_session", "return_url", "error_on_requires_action", "use_stripe_sdk"}
CREATE_FIELDS = {
    *_COMMON,
    *_ON_CONFIRM,
    "capture_method",
    "confirm",
    "confirmation_method",
    "automatic_payment_methods",
}
UPDATE_FIELDS = {*_COMMON, "capture_method"}
CONFIRM_FIELDS = {
    *_ON_CONFIRM,
    "payment_method",
    "capture_method",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "expand",
}
CAPTURE_FIELDS = {
    "amount_to_capture",
    "final_capture",
    "metadata",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "expand",
}
CANCEL_FIELDS = {"cancellation_reason", "expand"}
REFUND_FIELDS = {"payment_intent", "charge", "amount", "reason", "metadata", "expand"}


@dataclass(frozen=True)
class CreateIntent:
    amount: int
    currency: str
    capture_method: str
    token: str | None
    confirm: bool
    metadata: Mapping[str, str]
    echoed: Mapping[str, Any]
    expand: tuple[str, ...]


@dataclass(frozen=True)
class UpdateIntent:
    """None leaves a field as it is."""

    intent: Intent
    amount: int | None
    currency: str | None
    capture_method: str | None
    token: str | None
    metadata: Mapping[str, str]
    echoed: Mapping[str, Any]
    expand: tuple[str, ...]


@dataclass(frozen=True)
class ConfirmIntent:
    intent: Intent
    token: str | None
    capture_method: str | None
    expand: tuple[str, ...]


@dataclass(frozen=True)
class CaptureIntent:
    """`amount` None captures all."""

    intent: Intent
    amount: int | None
    metadata: Mapping[str, str]
    expand: tuple[str, ...]


@dataclass(frozen=True)
class CancelIntent:
    intent: Intent
    reason: str | None
    expand: tuple[str, ...]


@dataclass(frozen=True)
class CreateRefund:
    """`amount` None refunds what is left; `charge` None: the intent never had one."""

    intent_id: str
    charge: str | None
    amount: int | None
    reason: str | None
    metadata: Mapping[str, str]
    expand: tuple[str, ...]


Post: TypeAlias = CreateIntent | UpdateIntent | ConfirmIntent | CaptureIntent | CancelIntent | CreateRefund


def create_intent(form: Form) -> CreateIntent:
    fields = Fields(form, CREATE_FIELDS)
    if not fields.given("amount"):
        fields.required("amount")
    currency = money.currency_of(fields.required("currency"))
    amount = _charge_amount(fields, currency)
    assert amount is not None
    confirm, token = fields.flag("confirm"), _token(fields)
    fields.choice("confirmation_method", ("automatic", "manual"))
    _check_flags(fields)
    if confirm and token is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise bad_parameter(message, "payment_method", "parameter_missing")
    return CreateIntent(
        amount,
        currency,
        fields.choice("capture_method", CAPTURE_METHODS) or "automatic_async",
        token,
        confirm,
        fields.metadata({}),
        _echoed(fields, {}),
        fields.names("expand"),
    )


def update_intent(intent: Intent, form: Form) -> UpdateIntent:
    fields = Fields(form, UPDATE_FIELDS)
    given = fields.text("currency")
    currency = money.currency_of(given) if given else None
    return UpdateIntent(
        intent,
        _charge_amount(fields, currency or intent.currency),
        currency,
        fields.choice("capture_method", CAPTURE_METHODS),
        _token(fields),
        fields.metadata(intent.metadata),
        _echoed(fields, intent.echoed),
        fields.names("expand"),
    )


def confirm_intent(intent: Intent, form: Form) -> ConfirmIntent:
    fields = Fields(form, CONFIRM_FIELDS)
    _check_flags(fields)
    return ConfirmIntent(
        intent, _token(fields), fields.choice("capture_method", CAPTURE_METHODS), fields.names("expand")
    )


def capture_intent(intent: Intent, form: Form) -> CaptureIntent:
    fields = Fields(form, CAPTURE_FIELDS)
    amount = fields.whole("amount_to_capture")
    if amount is not None:
        money.check_part(amount, intent.currency, "amount_to_capture")
    fields.flag("final_capture")
    return CaptureIntent(intent, amount, fields.metadata(intent.metadata), fields.names("expand"))


def cancel_intent(intent: Intent, form: Form) -> CancelIntent:
    fields = Fields(form, CANCEL_FIELDS)
    return CancelIntent(intent, fields.choice("cancellation_reason", CANCEL_REASONS), fields.names("expand"))


def create_refund(ledger: Ledger, form: Form) -> CreateRefund:
    fields = Fields(form, REFUND_FIELDS)
    intent = _refunded(ledger, fields)
    amount = fields.whole("amount")
    if amount is not None:
        money.check_part(amount, intent.currency, "amount")
    return CreateRefund(
        intent.id,
        fields.text("charge") or intent.charge,
        amount,
        fields.choice("reason", REFUND_REASONS),
        fields.metadata({}),
        fields.names("expand"),
    )


def _refunded(ledger: Ledger, fields: Fields) -> Intent:
    charge_id, intent_id = fields.text("charge"), fields.text("payment_intent")
    if charge_id is not None:
        charge = ledger.charges.get(charge_id)
        if charge is None:
            raise missing("charge", charge_id, "charge")
        return ledger.intents[charge.intent]
    if intent_id is None:
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise bad_parameter(message, "payment_intent", "parameter_missing")
    intent = ledger.intents.get(intent_id)
    if intent is None:
        raise missing("payment_intent", intent_id, "payment_intent")
    return intent


def _charge_amount(fields: Fields, currency: str) -> int | None:
    amount = fields.whole("amount")
    if amount is not None:
        money.check_charge(amount, currency)
    elif fields.given("amount"):
        fields.required("amount")
    return amount


def _token(fields: Fields) -> str | None:
    token = fields.text("payment_method")
    if token is not None and not tokens.known(token):
        raise missing("PaymentMethod", token, "payment_method")
    return token


def _check_flags(fields: Fields) -> None:
    for name in ("error_on_requires_action", "use_stripe_sdk"):
        fields.flag(name)


def _echoed(fields: Fields, before: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fields that the simulator keeps and gives back without looking at them."""
    after = dict(before)
    for name in _ECHOED:
        if fields.given(name):
            after[name] = fields.tree(name)
    kinds = fields.names("payment_method_types")
    if kinds:
        after["payment_method_types"] = list(kinds)
    return {name: value for name, value in after.items() if value is not None}
