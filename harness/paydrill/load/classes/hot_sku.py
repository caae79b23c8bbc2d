"""Many customers, few units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic
from paydrill.plan import SCARCE

if TYPE_CHECKING:
    from random import Random

    from paydrill.load.products import Cart, Shelves
    from paydrill.load.shopper import Shopper

UNITS = 5


class HotSku(Traffic):
    name = "hot_sku"
    summary = "Wants 5 units of a product of which there are far too few."
    signature = "a 409: not enough of it left"
    ends = "paid, or refused with 409 before anything was charged"
    needs = ("create", "pay", "read", f"tag:{SCARCE}")
    checkout = False

    def cart(self, random: Random, shelves: Shelves) -> Cart:
        return shelves.units_of(SCARCE, UNITS, random)

    def run(self, shopper: Shopper) -> Ended:
        placed = shopper.place()
        if placed.outcome != "ok":
            return Ended(placed.outcome, placed.conflict, int(placed.conflict))
        outcome = shopper.pay_by(shopper.card())
        if not shopper.has_left:
            shopper.read()
        return Ended(outcome, outcome == "ok")


TRAFFIC = HotSku()
