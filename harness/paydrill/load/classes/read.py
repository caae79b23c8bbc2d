"""Look: read an order that this run acknowledged earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.target import Outcome

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class Read:
    name = "read"
    summary = "A customer comes back and looks at an order placed before in this run."
    needs: tuple[str, ...] = ("read",)
    checkout = False

    def run(self, shopper: Shopper) -> Outcome:
        order = shopper.await_any_order()
        if order is None:
            return "info"
        return shopper.visit(order).outcome


TRAFFIC = Read()
