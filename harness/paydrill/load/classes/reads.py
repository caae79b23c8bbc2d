"""Look twice: by the order's id and by the cart's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class Reads(Traffic):
    name = "reads"
    summary = "A returning customer looks at an order by its id, and finds it again by the cart's."
    signature = "an order found by its client_ref"
    ends = "both show the same order"
    needs = ("read", "find")
    checkout = False

    def run(self, shopper: Shopper) -> Ended:
        order = shopper.await_any_order()
        if order is None:
            return Ended("info", False)
        shown, found = shopper.visit(order), shopper.look_up(order)
        is_same = found.facts.order_ref == order.order_ref
        outcome = shown.outcome if shown.outcome != "ok" else found.outcome
        return Ended(outcome, outcome == "ok" and is_same, int(found.outcome == "ok" and is_same))


TRAFFIC = Reads()
