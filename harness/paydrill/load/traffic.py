"""What a traffic class is: one kind of customer, written in the steps of `Shopper`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from paydrill.target import Outcome

if TYPE_CHECKING:
    from random import Random

    from paydrill.load.products import Cart, Shelves
    from paydrill.load.shopper import Shopper


@dataclass(frozen=True, slots=True)
class Ended:
    """How one arrival ended.

    outcome:     what the customer believes in the end
    as_declared: it is what the class says that its arrivals come to where nothing is broken
    signature:   how often the event happened for which the class is there
    """

    outcome: Outcome
    as_declared: bool
    signature: int = 0


class Traffic:
    """One kind of customer.

    signature: the event that only this class is there to bring about, in a few words
    ends:      how its arrivals end where nothing is broken
    needs:     requests that the target's client must describe; `intent.note`: a request that sends it (with
               `|` between several: one of them); `tag:hot`: a product of the catalogue with that tag
    checkout:  its intents count as checkouts: what they want is to buy and pay
    at_once:   at most so many requests of one arrival are under way together
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    signature: ClassVar[str]
    ends: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("create", "pay", "read")
    checkout: ClassVar[bool] = True
    at_once: ClassVar[int] = 1

    def cart(self, random: Random, shelves: Shelves) -> Cart:
        """What its customers want to buy."""
        return shelves.cart(random)

    def run(self, shopper: Shopper) -> Ended:
        """Do everything that this customer does."""
        raise NotImplementedError
