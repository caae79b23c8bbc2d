"""A client gone wild: one payment, eight requests at the same moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.shopper import over_tries
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

SIZE = 8


class SameKeyBurst(Traffic):
    name = "same_key_burst"
    summary = "Pays with 8 requests of the same key at the same moment."
    signature = "a replayed answer, or a 409 in progress"
    ends = "paid once"
    at_once = SIZE

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        card = shopper.card()
        burst = shopper.together(*[lambda: shopper.press_pay(card) for _ in range(SIZE)])
        outcome = over_tries(result.outcome for result in burst)
        if not (outcome == "ok" and shopper.saw_paid):
            outcome = shopper.pay_by(card)
        return Ended(outcome, outcome == "ok", shopper.repeats("pay"))


TRAFFIC = SameKeyBurst()
