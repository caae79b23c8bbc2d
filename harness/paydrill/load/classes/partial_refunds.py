"""Money back in three parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.prices import thirds
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class PartialRefunds(Traffic):
    name = "partial_refunds"
    summary = "Pays, then asks for the money back in three parts that sum up exactly; the last is the rest."
    signature = "a last part that made the sum exact"
    ends = "paid, and all three parts are granted"
    needs = ("create", "pay", "read", "refund")

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        outcome = shopper.pay()
        if outcome != "ok" or not shopper.is_paid(shopper.read()):
            return Ended(outcome, False)
        parts = thirds(shopper.intent.amount, shopper.intent.currency)
        granted = [shopper.refund(amount, part).outcome for part, amount in enumerate(parts, start=1)]
        complete = granted == ["ok"] * len(parts)
        if not shopper.has_left:
            shopper.read()
        return Ended(outcome, complete, int(complete))


TRAFFIC = PartialRefunds()
