"""A refused card, then one that works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class DeclineThenOtherCard(Traffic):
    name = "decline_then_other_card"
    summary = "Pays with a card that its bank refuses, then with another one under a new key."
    signature = "an order paid after a 402"
    ends = "refused with 402, then paid"

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        step = shopper.present(shopper.card(how="declined"))
        if not step.declined:
            return Ended(shopper.settle(step), False)
        outcome = shopper.pay_by(shopper.card(2))
        if not shopper.has_left:
            shopper.read()
        return Ended(outcome, outcome == "ok", int(outcome == "ok"))


TRAFFIC = DeclineThenOtherCard()
