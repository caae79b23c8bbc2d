"""Change one's mind about what to buy after a first try to pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class EditsCart(Traffic):
    name = "edits_cart"
    summary = (
        "Pays with a card that is refused, cancels that order and buys a changed cart with a new client_ref; "
        "stays with the first order where it cannot be cancelled."
    )
    signature = "a changed cart paid after the first order was cancelled"
    ends = "refused with 402, cancelled, and the changed cart is paid"
    needs = ("create", "pay", "read", "cancel")

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        step = shopper.present(shopper.card(how="declined"))
        if not step.declined:
            return Ended(shopper.settle(step), False)
        cancelled = shopper.cancel()
        if cancelled == "info":
            return Ended("info", False)
        if cancelled == "fail":
            return Ended(shopper.pay_by(shopper.card(2)), False)
        changed = shopper.again(shopper.shop.maker.other_cart(shopper.intent, 1, [shopper.intent.amount]))
        outcome = changed.create()
        if outcome == "ok":
            outcome = changed.pay_by(changed.card())
        changed.end(outcome)
        return Ended(outcome, outcome == "ok", int(outcome == "ok"))


TRAFFIC = EditsCart()
