"""Look: read an order that this run acknowledged earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class Read(Traffic):
    name = "read"
    summary = "A customer comes back and looks at an order placed before in this run."
    signature = "an order shown"
    ends = "shown"
    needs = ("read",)
    checkout = False

    def run(self, shopper: Shopper) -> Ended:
        order = shopper.await_any_order()
        if order is None:
            return Ended("info", False)
        outcome = shopper.visit(order).outcome
        return Ended(outcome, outcome == "ok", int(outcome == "ok"))


TRAFFIC = Read()
