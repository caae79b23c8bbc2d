"""A card that the bank refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

HOWS = ("declined", "insufficient_funds", "lost_card", "expired_card", "incorrect_cvc", "processing_error")


class Declines(Traffic):
    name = "declines"
    summary = "Pays with a card that its bank refuses, for one of several reasons, and goes away."
    signature = "a 402"
    ends = "refused with 402"
    checkout = False

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        how = HOWS[int(shopper.intent.dice[0] * len(HOWS))]
        step = shopper.present(shopper.card(how=how))
        outcome = shopper.settle(step)
        return Ended(outcome, step.declined, int(step.declined))


TRAFFIC = Declines()
