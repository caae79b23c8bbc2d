"""Buy: create, pay, read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.target import Outcome

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class Checkout:
    name = "checkout"
    summary = "Places an order, pays it and looks at it. Retries unknown answers, or gives up."
    needs: tuple[str, ...] = ("create", "pay", "read")
    checkout = True

    def run(self, shopper: Shopper) -> Outcome:
        outcome = shopper.create()
        if outcome != "ok":
            return outcome
        outcome = shopper.pay()
        if not shopper.has_left:
            shopper.read()
        return outcome


TRAFFIC = Checkout()
