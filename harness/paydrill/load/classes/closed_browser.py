"""Pay, and be gone before the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

LEAST_S, MOST_S = 0.005, 0.12


class ClosedBrowser(Traffic):
    name = "closed_browser"
    summary = "Pays, closes the browser a moment later and never comes back."
    signature = "a payment whose customer was gone before the answer"
    ends = "nobody waits for it; nothing was refused"
    checkout = False

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        patience_s = LEAST_S + (MOST_S - LEAST_S) * shopper.intent.dice[0] ** 2
        result = shopper.press_pay(shopper.card(), timeout_s=patience_s)
        return Ended(result.outcome, result.outcome != "fail", int(result.err == "timeout"))


TRAFFIC = ClosedBrowser()
