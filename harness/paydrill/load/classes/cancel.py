"""Change one's mind: cancel an unpaid order, or cancel while the payment is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.shopper import over_tries
from paydrill.target import Outcome

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

RACE_SHARE = 0.5


class Cancel:
    name = "cancel"
    summary = "Places an order and cancels it, half of them at the very moment they pay."
    needs: tuple[str, ...] = ("create", "pay", "read", "cancel")
    checkout = False

    def run(self, shopper: Shopper) -> Outcome:
        outcome = shopper.create()
        if outcome != "ok":
            return outcome
        if shopper.intent.dice[0] < RACE_SHARE:
            outcome = over_tries(shopper.together(shopper.pay, shopper.cancel))
        else:
            outcome = shopper.cancel()
        if not shopper.has_left:
            shopper.read()
        return outcome


TRAFFIC = Cancel()
