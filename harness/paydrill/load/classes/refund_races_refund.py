"""Ask twice at once for more than was paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.prices import in_steps
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

FIRST_PERCENT, SECOND_PERCENT = 60, 70


class RefundRacesRefund(Traffic):
    name = "refund_races_refund"
    summary = "Pays, then asks for two refunds at the same moment that together are more than was paid."
    signature = "a refused second refund"
    ends = "paid, one refund granted and the other refused"
    needs = ("create", "pay", "read", "refund")
    at_once = 2

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        outcome = shopper.pay()
        if outcome != "ok" or not shopper.is_paid(shopper.read()):
            return Ended(outcome, False)
        first_part, second_part = (
            in_steps(shopper.intent.amount * percent // 100, shopper.intent.currency)
            for percent in (FIRST_PERCENT, SECOND_PERCENT)
        )
        first, second = shopper.together(
            lambda: shopper.refund(first_part, 1).outcome,
            lambda: shopper.refund(second_part, 2).outcome,
        )
        refused = (first, second).count("fail")
        return Ended(outcome, {first, second} == {"ok", "fail"}, refused)


TRAFFIC = RefundRacesRefund()
