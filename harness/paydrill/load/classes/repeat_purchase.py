"""Buy the same again, and mean it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class RepeatPurchase(Traffic):
    name = "repeat_purchase"
    summary = "Buys a cart, then the same cart once more as an order of its own, with a new client_ref."
    signature = "a second order for the same cart, paid too"
    ends = "two orders, both paid"

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        outcome = shopper.pay()
        again = shopper.again()
        second = again.create()
        if second == "ok":
            second = again.pay()
        again.end(second)
        another = second == "ok" and again.intent.order_ref != shopper.intent.order_ref
        return Ended(outcome, outcome == "ok" and another, int(another))


TRAFFIC = RepeatPurchase()
