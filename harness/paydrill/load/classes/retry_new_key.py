"""Try again as if it were the first time: the same cart under another key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.shopper import over_tries
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class RetryNewKey(Traffic):
    name = "retry_new_key"
    summary = (
        "Places and pays the same cart a second time, each with a new key and the payment with another card."
    )
    signature = "a second try that found the first one's order or payment"
    ends = "one order, paid once"

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        again = shopper.place(2)
        is_same = again.outcome == "ok" and again.last.facts.order_ref == shopper.intent.order_ref
        first = shopper.pay_by(shopper.card())
        second = shopper.present(shopper.card(2))
        found = second.conflict or (second.outcome == "ok" and shopper.is_paid(second.last))
        outcome = over_tries((first, second.outcome))
        return Ended(outcome, first == "ok" and is_same and found, int(is_same) + int(found))


TRAFFIC = RetryNewKey()
