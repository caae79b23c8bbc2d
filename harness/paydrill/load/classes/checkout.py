"""Buy: create, pay, read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class Checkout(Traffic):
    name = "checkout"
    summary = "Places an order, pays it and looks at it. Retries unknown answers, or gives up."
    signature = "a paid order"
    ends = "paid"

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        outcome = shopper.pay()
        if not shopper.has_left:
            shopper.read()
        return Ended(outcome, outcome == "ok", int(shopper.saw_paid))


TRAFFIC = Checkout()
