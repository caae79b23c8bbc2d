"""Press the button twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.shopper import over_tries
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper
    from paydrill.target import Outcome

FIRST_S, LAST_S = 0.05, 0.15


class DoubleClick(Traffic):
    name = "double_click"
    summary = "Pays, and presses again 50 to 150 ms later: the same key, the same card."
    signature = "a replayed answer, or a 409 in progress"
    ends = "paid once"
    at_once = 2

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        card = shopper.card()

        def press_again() -> Outcome:
            shopper.wait(FIRST_S + (LAST_S - FIRST_S) * shopper.intent.dice[0])
            return shopper.pay_by(card)

        outcome = over_tries(shopper.together(lambda: shopper.pay_by(card), press_again))
        return Ended(outcome, outcome == "ok", shopper.repeats("pay"))


TRAFFIC = DoubleClick()
