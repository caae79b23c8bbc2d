"""One thing a customer wants, made from the seed and the number of its arrival (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

from paydrill.load.customers import Customer
from paydrill.load.policy import Policy, draw_policy
from paydrill.load.products import Cart, Shelves
from paydrill.load.traffic import Traffic
from paydrill.plan import Crowd

TRIES_PER_INTENT = 16
SECOND_WISHES = 1_000_000_000
"""Ids of second, third … wishes lie so far from their arrival's: no load has as many arrivals."""


@dataclass(slots=True)
class Intent:
    """One cart and one consented amount. `order_ref` is what the target called the order, once known.

    dice:      numbers in [0, 1) from the seed, for what a traffic class decides by itself
    checkout:  it counts as one: what it wants is to buy and pay
    arrival:   the id of the customer's first intent: its own, unless this is a second wish
    challenge: what the target calls the challenge that it waits for, once an answer has named it
    note, shipping_name, email, promo_code: sent where the target's requests ask for them
    """

    id: int
    cls: str
    person: Customer
    client_ref: str
    items: list[dict[str, object]]
    amount: int
    currency: str
    due_ns: int
    policy: Policy
    dice: tuple[float, float]
    order_ref: str | None = None
    arrival: int = 0
    checkout: bool = True
    promo_code: str | None = None
    note: str | None = None
    shipping_name: str | None = None
    email: str | None = None
    challenge: str | None = None

    @property
    def customer(self) -> str:
        """The customer's id."""
        return self.person.id

    @property
    def bearer(self) -> str:
        """The customer's bearer token."""
        return self.person.bearer


def token_of(intent_id: int, try_no: int) -> int:
    """The payment token of one try (from 1) of an intent: unique in a run."""
    if not 1 <= try_no < TRIES_PER_INTENT:
        raise ValueError(f"try_no must be 1…{TRIES_PER_INTENT - 1}, got {try_no}")
    return intent_id * TRIES_PER_INTENT + try_no


def saved_card_of(intent_id: int) -> int:
    """The number of the card that an arrival saved: no token of a try has it."""
    return intent_id * TRIES_PER_INTENT


def wire_token(token: int, how: str | None = None) -> str:
    """How a token is written in a request; `how` tells the PSP simulator how this card behaves."""
    return f"pm_pd_{token}" if how is None else f"pm_pd_{token}_{how}"


class IntentMaker:
    """Makes the n-th intent of a run; what it wants depends on the seed and n alone.

    A class that places no order has an empty cart.
    series: a word in every cart's name, for a target that remembers the carts of earlier runs
    of_crowd: the arrivals that are no part of the mix
    """

    def __init__(
        self,
        seed: int,
        mix: Mapping[str, float],
        classes: Mapping[str, Traffic],
        shelves: Shelves,
        people: tuple[Customer, ...],
        series: str = "",
        of_crowd: Mapping[int, Crowd] | None = None,
    ) -> None:
        self._carts = f"cart-{seed}-{series}-" if series else f"cart-{seed}-"
        self._seed = seed
        self._names = sorted(name for name, weight in mix.items() if weight > 0)
        self._weights = list(accumulate(mix[name] for name in self._names))
        self._classes = classes
        self._shelves = shelves
        self._people = people
        self._of_crowd = of_crowd or {}

    def make(self, index: int, due_ns: int) -> Intent:
        """The intent of arrival `index` (from 0); its id counts from 1."""
        random = Random(f"{self._seed}:intent:{index}")
        crowd = self._of_crowd.get(index)
        cls = crowd.cls if crowd else random.choices(self._names, cum_weights=self._weights)[0]
        person = random.choice(self._people)
        traffic = self._classes[cls]
        cart = self._shelves.units(crowd.sku, crowd.units) if crowd else traffic.cart(random, self._shelves)
        buys = "create" in traffic.needs
        return Intent(
            id=index + 1,
            cls=cls,
            person=person,
            client_ref=f"{self._carts}{index + 1}",
            items=cart.items if buys else [],
            amount=cart.amount if buys else 0,
            currency=cart.currency,
            due_ns=due_ns,
            policy=draw_policy(random),
            dice=(random.random(), random.random()),
            arrival=index + 1,
            checkout=traffic.checkout,
            promo_code=cart.promo_code if buys else None,
        )

    def second(
        self,
        first: Intent,
        number: int,
        due_ns: int,
        cart: Cart | None = None,
        person: Customer | None = None,
    ) -> Intent:
        """The customer's wish after the first one (`number` from 1): the same cart if no other is given."""
        return replace(
            first,
            id=first.arrival + number * SECOND_WISHES,
            person=person or first.person,
            client_ref=f"{self._carts}{first.arrival}-{number + 1}",
            items=cart.items if cart else first.items,
            amount=cart.amount if cart else first.amount,
            currency=cart.currency if cart else first.currency,
            promo_code=cart.promo_code if cart else first.promo_code,
            due_ns=due_ns,
            order_ref=None,
            challenge=None,
        )

    def other_cart(self, first: Intent, number: int, taken: Collection[int]) -> Cart:
        """A cart for the wish of that number, at a price that is none of `taken`."""
        return self._shelves.other_cart(self.random_of(first, f"cart:{number}"), taken)

    def other_person(self, first: Intent) -> Customer:
        """Another customer; the same one if there is no other."""
        others = [person for person in self._people if person.id != first.customer]
        return self.random_of(first, "person").choice(others or list(self._people))

    def random_of(self, first: Intent, what: str) -> Random:
        """Numbers from the seed for what else an arrival decides."""
        return Random(f"{self._seed}:{what}:{first.arrival}")
