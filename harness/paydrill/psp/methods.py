"""Payment methods as objects: made from Stripe's test cards, attached to customers and detached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from paydrill.psp import tokens
from paydrill.psp.change import Change
from paydrill.psp.form import Fields, Form
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import Refusal, bad_parameter, executed, missing, not_possible, used_token
from paydrill.psp.requests import Side
from paydrill.psp.routes import Route
from paydrill.psp.state import Method

CREATE_FIELDS = {"type", "card", "billing_details", "metadata", "expand"}
ATTACH_FIELDS = {"customer", "expand"}
DETACH_FIELDS = {"expand"}
_CARD_FIELDS = ("token", "number", "exp_month", "exp_year", "cvc")
_BILLING = ("address", "email", "name", "phone", "tax_id")


@dataclass(frozen=True)
class CreateMethod(Side):
    """`card` is one of Stripe's names for test cards. The number that it came from is nowhere kept."""

    card: str
    metadata: Mapping[str, str]
    echoed: Mapping[str, Any]

    def run(self, change: Change) -> Method:
        method = replace(made(change, self.card), metadata=self.metadata, echoed=self.echoed)
        change.keep(method)
        return method


@dataclass(frozen=True)
class Attach(Side):
    token: str
    customer: str

    @property
    def about(self) -> tuple[str | None, str | None]:
        return None, self.token

    def run(self, change: Change) -> Method:
        return attach(change, self.token, self.customer)


@dataclass(frozen=True)
class Detach(Side):
    token: str

    @property
    def about(self) -> tuple[str | None, str | None]:
        return None, self.token

    def run(self, change: Change) -> Method:
        before = change.method_of(self.token)
        assert before is not None
        if before.customer is None:
            message = (
                "The payment method you provided is not attached to a customer so detachment is impossible."
            )
            raise not_possible(message, None, "payment_method")
        after = _numbered(change, replace(before, customer=None, detached=True))
        change.keep(after)
        change.event("payment_method.detached", after, after.id)
        return after


def create(ledger: Ledger, route: Route, form: Form) -> CreateMethod:
    """Raises Refusal: only cards, and only test cards."""
    fields = Fields(form, CREATE_FIELDS)
    fields.required("type")
    fields.choice("type", ("card",))
    billing = fields.tree("billing_details")
    if isinstance(billing, dict):
        Fields(billing, _BILLING)
    echoed = {"billing_details": billing} if isinstance(billing, dict) else {}
    return CreateMethod(fields.names("expand"), _card(fields), fields.metadata({}), echoed)


def read_attach(ledger: Ledger, route: Route, form: Form) -> Attach:
    fields = Fields(form, ATTACH_FIELDS)
    customer = fields.required("customer")
    if ledger.customer(customer) is None:
        raise missing("customer", customer, "customer")
    return Attach(fields.names("expand"), _named(ledger, route), customer)


def read_detach(ledger: Ledger, route: Route, form: Form) -> Detach:
    fields = Fields(form, DETACH_FIELDS)
    token = _named(ledger, route)
    if token in tokens.ALIASES:
        raise missing("PaymentMethod", token)
    return Detach(fields.names("expand"), token)


def made(change: Change, card: str) -> Method:
    """A new one that behaves like a test card."""
    seq = len(change.ledger.methods) + 1
    return Method(change.name("pm", seq), seq, change.created, card)


def attach(change: Change, token: str, customer: str) -> Method:
    """From here on it belongs to that customer and may be charged again and again. Raises Refusal."""
    before = made(change, token) if token in tokens.ALIASES else change.method_of(token)
    assert before is not None
    if before.detached:
        raise executed(used_token())
    if before.customer not in (None, customer):
        message = "The payment method you provided has already been attached to a customer."
        raise not_possible(message, None, "payment_method")
    after = _numbered(change, replace(before, customer=customer))
    change.keep(after)
    change.event("payment_method.attached", after, after.id)
    return after


def _numbered(change: Change, method: Method) -> Method:
    """A token of the harness becomes a kept object once something is known of it."""
    if method.seq:
        return method
    return replace(method, seq=len(change.ledger.methods) + 1, created=change.created)


def _named(ledger: Ledger, route: Route) -> str:
    assert route.wanted is not None
    if route.wanted not in tokens.ALIASES and ledger.method(route.wanted) is None:
        raise missing("PaymentMethod", route.wanted)
    return route.wanted


def _card(fields: Fields) -> str:
    """The name of the test card that was given, by Stripe's token or by its number."""
    given = fields.tree("card")
    if not isinstance(given, dict):
        raise bad_parameter("Missing required param: card.", "card", "parameter_missing")
    card = Fields(given, _CARD_FIELDS)
    token = card.text("token")
    if token is not None:
        alias = "pm_card_" + token.removeprefix("tok_")
        if not token.startswith("tok_") or alias not in tokens.ALIASES:
            raise missing("token", token, "card[token]")
        return alias
    number = card.required("number").replace(" ", "")
    if number not in tokens.NUMBERS:
        # Whatever it is, it may be somebody's: it is not repeated in the answer.
        raise Refusal(
            402, "card_error", "Your card number is incorrect.", code="incorrect_number", param="number"
        )
    for name in ("exp_month", "exp_year"):
        if card.whole(name) is None:
            raise bad_parameter(
                f"Missing required param: card[{name}].", f"card[{name}]", "parameter_missing"
            )
    return tokens.NUMBERS[number]
