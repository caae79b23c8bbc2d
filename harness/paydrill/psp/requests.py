"""Forms of POST calls, read into typed requests: everything that can be refused before execution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from paydrill.psp import money, shapes, tokens
from paydrill.psp.change import Change
from paydrill.psp.form import Fields, Form
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import bad_parameter, missing
from paydrill.psp.shapes import Wire
from paydrill.psp.state import Intent, Refund, State

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
_ON_CONFIRM = {
    "off_session",
    "return_url",
    "error_on_requires_action",
    "use_stripe_sdk",
    "payment_method_options",
}
_CARD_OPTIONS = {
    "request_multicapture": ("if_available", "never"),
    "request_three_d_secure": ("any", "automatic", "challenge"),
}
CREATE_FIELDS = {
    *_COMMON,
    *_ON_CONFIRM,
    "capture_method",
    "confirm",
    "confirmation_method",
    "automatic_payment_methods",
}
UPDATE_FIELDS = {*_COMMON, "capture_method", "payment_method_options"}
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
UPDATE_REFUND_FIELDS = {"metadata", "expand"}
CANCEL_REFUND_FIELDS = {"expand"}


@dataclass(frozen=True)
class Presence:
    """Whether the customer is there to do a challenge, and where they go after it."""

    off_session: bool = False
    refuse_action: bool = False
    return_url: str | None = None

    @property
    def may_act(self) -> bool:
        return not (self.off_session or self.refuse_action)


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
    presence: Presence


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
    echoed: Mapping[str, Any]
    expand: tuple[str, ...]
    presence: Presence


@dataclass(frozen=True)
class CaptureIntent:
    """`amount` None captures all; not `final`: the rest stays held."""

    intent: Intent
    amount: int | None
    final: bool
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


@dataclass(frozen=True)
class DoChallenge:
    """The customer does what the bank asks for, or refuses to."""

    intent: Intent
    approves: bool
    expand: tuple[str, ...] = ()


@dataclass(frozen=True)
class UpdateRefund:
    refund: Refund
    metadata: Mapping[str, str]
    expand: tuple[str, ...]


@dataclass(frozen=True)
class CancelRefund:
    refund: Refund
    expand: tuple[str, ...]


@dataclass(frozen=True)
class Side(ABC):
    """A call that moves no money by itself; it knows how it is carried out."""

    expand: tuple[str, ...]

    @property
    def about(self) -> tuple[str | None, str | None]:
        """The intent and the token that it is about."""
        return None, None

    @abstractmethod
    def run(self, change: Change) -> State:
        """Put all that it does into a Change. Raises Refusal."""

    def wire(self, state: State) -> Wire:
        """The answer."""
        return shapes.wire_of(state)


Post: TypeAlias = (
    CreateIntent
    | UpdateIntent
    | ConfirmIntent
    | CaptureIntent
    | CancelIntent
    | CreateRefund
    | UpdateRefund
    | CancelRefund
    | DoChallenge
    | Side
)


def create_intent(ledger: Ledger, form: Form) -> CreateIntent:
    fields = Fields(form, CREATE_FIELDS)
    if not fields.given("amount"):
        fields.required("amount")
    currency = money.currency_of(fields.required("currency"))
    amount = _charge_amount(fields, currency)
    assert amount is not None
    confirm, token = fields.flag("confirm"), known_method(ledger, fields)
    fields.choice("confirmation_method", ("automatic", "manual"))
    presence = _presence(fields)
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
        _echoed(ledger, fields, {}),
        fields.names("expand"),
        presence,
    )


def update_intent(ledger: Ledger, intent: Intent, form: Form) -> UpdateIntent:
    fields = Fields(form, UPDATE_FIELDS)
    given = fields.text("currency")
    currency = money.currency_of(given) if given else None
    return UpdateIntent(
        intent,
        _charge_amount(fields, currency or intent.currency),
        currency,
        fields.choice("capture_method", CAPTURE_METHODS),
        known_method(ledger, fields),
        fields.metadata(intent.metadata),
        _echoed(ledger, fields, intent.echoed),
        fields.names("expand"),
    )


def confirm_intent(ledger: Ledger, intent: Intent, form: Form) -> ConfirmIntent:
    fields = Fields(form, CONFIRM_FIELDS)
    return ConfirmIntent(
        intent,
        known_method(ledger, fields),
        fields.choice("capture_method", CAPTURE_METHODS),
        _echoed(ledger, fields, intent.echoed),
        fields.names("expand"),
        _presence(fields),
    )


def capture_intent(intent: Intent, form: Form) -> CaptureIntent:
    fields = Fields(form, CAPTURE_FIELDS)
    amount = fields.whole("amount_to_capture")
    final = not fields.given("final_capture") or fields.flag("final_capture")
    # Nothing more, and the rest is released: how a hold that was captured in part is ended.
    ends = amount == 0 and final and intent.received > 0
    if amount is not None and not ends:
        money.check_part(amount, intent.currency, "amount_to_capture")
    return CaptureIntent(intent, amount, final, fields.metadata(intent.metadata), fields.names("expand"))


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


def update_refund(refund: Refund, form: Form) -> UpdateRefund:
    fields = Fields(form, UPDATE_REFUND_FIELDS)
    return UpdateRefund(refund, fields.metadata(refund.metadata), fields.names("expand"))


def cancel_refund(refund: Refund, form: Form) -> CancelRefund:
    return CancelRefund(refund, Fields(form, CANCEL_REFUND_FIELDS).names("expand"))


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


def known_method(ledger: Ledger, fields: Fields) -> str | None:
    """The `payment_method` of a form. Raises Refusal for one that nobody knows."""
    token = fields.text("payment_method")
    if token is not None and not tokens.known(token) and ledger.methods.get(token) is None:
        raise missing("PaymentMethod", token, "payment_method")
    return token


def _presence(fields: Fields) -> Presence:
    fields.flag("use_stripe_sdk")
    # A boolean, or how the customer agreed to be charged without being there (one_off, recurring).
    off_session = fields.text("off_session")
    return Presence(
        off_session not in (None, "false"), fields.flag("error_on_requires_action"), fields.text("return_url")
    )


def _echoed(ledger: Ledger, fields: Fields, before: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fields that the simulator keeps and gives back without looking at them."""
    after = dict(before)
    for name in _ECHOED:
        if fields.given(name):
            after[name] = fields.tree(name)
    customer = fields.text("customer")
    if customer is not None and ledger.customer(customer) is None:
        raise missing("customer", customer, "customer")
    kinds = fields.names("payment_method_types")
    if kinds:
        after["payment_method_types"] = list(kinds)
    options = _card_options(fields)
    if options is not None:
        after["payment_method_options"] = options
    automatic = fields.tree("automatic_payment_methods")
    if isinstance(automatic, dict):
        wanted = Fields(automatic, ("enabled", "allow_redirects"))
        redirects = wanted.choice("allow_redirects", ("always", "never")) or "always"
        after["automatic_payment_methods"] = (
            {"enabled": True, "allow_redirects": redirects} if wanted.flag("enabled") else None
        )
    return {name: value for name, value in after.items() if value is not None}


def _card_options(fields: Fields) -> Mapping[str, Any] | None:
    """Of `payment_method_options` the card's that change nothing here; None when none are given."""
    given = fields.tree("payment_method_options")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise bad_parameter("Invalid object: payment_method_options", "payment_method_options")
    card = Fields(given, ("card",)).tree("card") or {}
    if not isinstance(card, dict):
        raise bad_parameter("Invalid object: payment_method_options[card]", "payment_method_options")
    options = Fields(card, _CARD_OPTIONS)
    chosen = {name: options.choice(name, values) for name, values in _CARD_OPTIONS.items()}
    return {"card": {name: value for name, value in chosen.items() if value is not None}}
