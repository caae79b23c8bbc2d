"""A key that stands for something else already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

REFUSALS = (400, 409, 422)
"""422 is what the draft standard says; others answer 400 or 409."""


class KeyReusedOtherBody(Traffic):
    name = "key_reused_other_body"
    summary = "Pays, then sends the same key with another card in the body."
    signature = "a 422 for a key that was used"
    ends = "paid by the first card, the second request refused with 422"

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        outcome = shopper.pay_by(shopper.card(), 1)
        again = shopper.press_pay(shopper.card(2), 1)
        refused = again.outcome == "fail" and again.status in REFUSALS
        return Ended(outcome, outcome == "ok" and refused, int(refused))


TRAFFIC = KeyReusedOtherBody()
