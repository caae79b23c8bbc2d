"""Pay in one tab, cancel in the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.shopper import over_tries
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class CancelRacesPay(Traffic):
    name = "cancel_races_pay"
    summary = "Pays and cancels an order at the very same moment."
    signature = "a race decided: one of the two was refused"
    ends = "paid or cancelled, and both answers are definite"
    needs = ("create", "pay", "read", "cancel")
    checkout = False
    at_once = 2

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        card = shopper.card()
        outcomes = shopper.together(lambda: shopper.pay_by(card), shopper.cancel)
        if not shopper.has_left:
            shopper.read()
        definite = "info" not in outcomes and "ok" in outcomes
        return Ended(over_tries(outcomes), definite, int(definite and "fail" in outcomes))


TRAFFIC = CancelRacesPay()
