"""Change one's mind: cancel an unpaid order, or cancel while the payment is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.shopper import over_tries
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

RACE_SHARE = 0.5


class Cancel(Traffic):
    name = "cancel"
    summary = "Places an order and cancels it, half of them at the very moment they pay."
    signature = "a cancelled order"
    ends = "cancelled, or paid where the payment was first"
    needs = ("create", "pay", "read", "cancel")
    checkout = False
    at_once = 2

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        if shopper.intent.dice[0] < RACE_SHARE:
            paid, cancelled = shopper.together(shopper.pay, shopper.cancel)
            outcome = over_tries((paid, cancelled))
        else:
            outcome = cancelled = shopper.cancel()
        if not shopper.has_left:
            shopper.read()
        return Ended(outcome, outcome == "ok", int(cancelled == "ok"))


TRAFFIC = Cancel()
