"""A card that the shop knows already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from paydrill.load.intents import saved_card_of
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper
    from paydrill.target import Outcome


class SavedToken(Traffic):
    name = "saved_token"
    summary = "Buys with a saved card, then two other carts at the same moment with the same card."
    signature = "one more order paid by a card that had paid before"
    ends = "three orders, all paid by the one card"
    at_once = 2

    def run(self, shopper: Shopper) -> Ended:
        saved = saved_card_of(shopper.intent.arrival)
        outcome = self._buy(shopper, saved)
        if outcome != "ok":
            return Ended(outcome, False)
        taken, others = [shopper.intent.amount], []
        for number in (1, 2):
            cart = shopper.shop.maker.other_cart(shopper.intent, number, taken)
            taken.append(cart.amount)
            others.append(shopper.again(cart))
        bought = shopper.together(*[partial(self._buy_and_end, other, saved) for other in others])
        return Ended(outcome, bought == ["ok", "ok"], bought.count("ok"))

    @staticmethod
    def _buy(shopper: Shopper, saved: int) -> Outcome:
        outcome = shopper.create()
        return shopper.pay_by(shopper.saved_card(saved)) if outcome == "ok" else outcome

    def _buy_and_end(self, shopper: Shopper, saved: int) -> Outcome:
        outcome = self._buy(shopper, saved)
        shopper.end(outcome)
        return outcome


TRAFFIC = SavedToken()
