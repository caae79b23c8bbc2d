"""Come back to a payment long after every lease has run out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.shopper import over_tries
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

LEAST_S, MOST_S = 6.0, 9.0


class LateRetry(Traffic):
    name = "late_retry"
    summary = "Pays, and sends the same request with the same key again 6 to 9 s later."
    signature = "a late answer that is the kept one"
    ends = "paid, and told so again"

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        card = shopper.card()
        first = shopper.pay_by(card)
        shopper.wait(LEAST_S + (MOST_S - LEAST_S) * shopper.intent.dice[0])
        late = shopper.present(card)
        outcome = over_tries((first, late.outcome))
        return Ended(outcome, first == "ok" and late.outcome == "ok", int(late.last.facts.replayed))


TRAFFIC = LateRetry()
