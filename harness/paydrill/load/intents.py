"""One thing a customer wants, made from the seed and the number of its arrival (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from paydrill.load.customers import Customer
from paydrill.load.policy import Policy, draw_policy
from paydrill.load.products import Shelves

TRIES_PER_INTENT = 16


@dataclass(slots=True)
class Intent:
    """One cart and one consented amount. `order_ref` is what the target called the order, once known.

    dice: numbers in [0, 1) from the seed, for what a traffic class decides by itself
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


def wire_token(token: int) -> str:
    """How a token is written in a request to the target."""
    return f"pm_pd_{token}"


class IntentMaker:
    """Makes the n-th intent of a run; what it wants depends on the seed and n alone.

    buyers: the traffic classes that place an order; all others have an empty cart
    series: a word in every cart's name, for a target that remembers the carts of earlier runs
    """

    def __init__(
        self,
        seed: int,
        mix: Mapping[str, float],
        buyers: Collection[str],
        shelves: Shelves,
        people: tuple[Customer, ...],
        series: str = "",
    ) -> None:
        self._carts = f"cart-{seed}-{series}-" if series else f"cart-{seed}-"
        self._seed = seed
        self._classes = sorted(name for name, weight in mix.items() if weight > 0)
        self._weights = list(accumulate(mix[name] for name in self._classes))
        self._buyers = frozenset(buyers)
        self._shelves = shelves
        self._people = people

    def make(self, index: int, due_ns: int) -> Intent:
        """The intent of arrival `index` (from 0); its id counts from 1."""
        random = Random(f"{self._seed}:intent:{index}")
        cls = random.choices(self._classes, cum_weights=self._weights)[0]
        person = random.choice(self._people)
        cart = self._shelves.cart(random)
        buys = cls in self._buyers
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
        )
