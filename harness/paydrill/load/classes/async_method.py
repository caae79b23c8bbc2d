"""A way to pay that takes its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

FAILS_SHARE = 0.25


class AsyncMethod(Traffic):
    name = "async_method"
    summary = (
        "Pays by a method that settles seconds later, one in four of them not at all; looks until it has."
    )
    signature = "an accepted payment that settled later"
    ends = "accepted with 202, then paid or, for those that fail, failed"
    checkout = False

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        fails = shopper.intent.dice[0] < FAILS_SHARE
        step = shopper.present(shopper.card(how="asyncfail" if fails else "async"))
        outcome = shopper.settle(step)
        settled = outcome == "fail" if fails else outcome == "ok" and shopper.saw_paid
        later = step.outcome == "ok" and not shopper.is_paid(step.last)
        return Ended(outcome, settled, int(settled and later))


TRAFFIC = AsyncMethod()
