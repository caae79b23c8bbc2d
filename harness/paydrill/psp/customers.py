"""Customers: who payment methods belong to. They move no money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from paydrill.psp import methods
from paydrill.psp.change import Change
from paydrill.psp.form import Fields, Form
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import missing
from paydrill.psp.requests import Side, known_method
from paydrill.psp.routes import Route
from paydrill.psp.state import Customer

_ECHOED = ("name", "email", "description", "phone", "address", "shipping")
UPDATE_FIELDS = {*_ECHOED, "metadata", "expand"}
CREATE_FIELDS = {*UPDATE_FIELDS, "payment_method"}


@dataclass(frozen=True)
class CreateCustomer(Side):
    """`method`: a payment method to attach at once."""

    metadata: Mapping[str, str]
    echoed: Mapping[str, Any]
    method: str | None

    def run(self, change: Change) -> Customer:
        seq = len(change.ledger.customers) + 1
        customer = Customer(change.name("cus", seq), seq, change.created, self.metadata, self.echoed)
        change.keep(customer)
        change.event("customer.created", customer, None)
        if self.method is not None:
            methods.attach(change, self.method, customer.id)
        return customer


@dataclass(frozen=True)
class UpdateCustomer(Side):
    customer: Customer
    metadata: Mapping[str, str]
    echoed: Mapping[str, Any]

    def run(self, change: Change) -> Customer:
        after = replace(self.customer, metadata=self.metadata, echoed=self.echoed)
        change.keep(after)
        change.event("customer.updated", after, None)
        return after


def create(ledger: Ledger, route: Route, form: Form) -> CreateCustomer:
    fields = Fields(form, CREATE_FIELDS)
    method = known_method(ledger, fields)
    return CreateCustomer(fields.names("expand"), fields.metadata({}), _echoed(fields, {}), method)


def update(ledger: Ledger, route: Route, form: Form) -> UpdateCustomer:
    assert route.wanted is not None
    customer = ledger.customers.get(route.wanted)
    if customer is None:
        raise missing("customer", route.wanted)
    fields = Fields(form, UPDATE_FIELDS)
    metadata, echoed = fields.metadata(customer.metadata), _echoed(fields, customer.echoed)
    return UpdateCustomer(fields.names("expand"), customer, metadata, echoed)


def _echoed(fields: Fields, before: Mapping[str, Any]) -> Mapping[str, Any]:
    given = {name: fields.tree(name) for name in _ECHOED if fields.given(name)}
    return {name: value for name, value in {**before, **given}.items() if value is not None}
