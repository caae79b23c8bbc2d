"""The target's own requests, filled in by somebody who is no customer of the drill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from paydrill.backends import StackSetup
from paydrill.callers import bearer
from paydrill.faults.strangers import Visit
from paydrill.growing_file import GrowingFile
from paydrill.load.customers import Customer
from paydrill.load.intents import Intent
from paydrill.load.policy import Policy
from paydrill.load.templates import CompiledRequest, Op
from paydrill.target import Client

NAME = "stranger"
CARD = "pm_card_visa"
"""Of nobody whom the harness knows: a charge of it is one that no customer asked for (I-06)."""
REASON = "requested_by_customer"


@dataclass(frozen=True)
class Wish:
    """What a stranger fills into a request; amounts in minor units."""

    order_ref: str | None = None
    client_ref: str = "cart-of-a-stranger"
    sku: str = "no-such-product"
    amount: int = 100
    currency: str = "USD"
    promo_code: str | None = None
    note: str | None = None
    email: str | None = None
    token: str = CARD


class Stranger:
    """Somebody with a token that is right and no orders."""

    def __init__(self, setup: StackSetup) -> None:
        token = bearer(setup.secrets.caller_secret, "customer", NAME)
        self._person = Customer(NAME, "A Stranger", "stranger@example.com", "nowhere", token)
        client: Client = setup.target.client
        self._requests = {kind: CompiledRequest(one) for kind, one in client.requests.items()}

    def visit(self, about: str, kind: str, wish: Wish, key: str) -> Visit:
        """The request of that kind, which no target may do. Raises KeyError for one that is not described."""
        intent = Intent(
            id=0,
            cls="",
            person=self._person,
            client_ref=wish.client_ref,
            items=[{"sku": wish.sku, "qty": 1}],
            amount=wish.amount,
            currency=wish.currency,
            due_ns=0,
            policy=Policy(retries=0, delays_s=(), pays_again=False),
            dice=(0.0, 0.0),
            order_ref=wish.order_ref,
            promo_code=wish.promo_code,
            note=wish.note,
            email=wish.email,
        )
        op = Op(kind, key, token=wish.token, amount=wish.amount, currency=wish.currency, reason=REASON)
        made = self._requests[kind].render(intent, op)
        return Visit(about, made.method, made.path, made.headers, made.body)


@dataclass(frozen=True)
class SomebodysOrder:
    """What customers were told that their order is called."""

    ref: str
    amount: int
    currency: str


@dataclass
class OrdersSeen:
    """Follows a history while it is written: whose orders there are. `read` looks for more."""

    history: GrowingFile
    orders: dict[str, SomebodysOrder] = field(default_factory=dict)
    _intents: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    _ops: dict[int, int] = field(default_factory=dict)

    def read(self) -> None:
        """Take in the whole lines that have come since. Raises OSError when there is no history."""
        for line in self.history.new_lines():
            row = orjson.loads(line)
            match row["kind"]:
                case "intent":
                    self._intents[row["intent"]] = row
                case "invoke":
                    self._ops[row["op"]] = row["intent"]
                case "return":
                    self._order(row.get("order_ref"), self._ops.pop(row["op"], None))

    def _order(self, ref: str | None, number: int | None) -> None:
        intent = self._intents.get(number) if number is not None else None
        if ref is not None and intent is not None:
            self.orders[ref] = SomebodysOrder(ref, intent["amount"], intent["currency"])
