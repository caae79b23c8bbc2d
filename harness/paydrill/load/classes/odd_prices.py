"""Prices on which sloppy arithmetic fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.prices import thirds
from paydrill.load.products import ODD
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from random import Random

    from paydrill.load.products import Cart, Shelves
    from paydrill.load.shopper import Shopper


class OddPrices(Traffic):
    name = "odd_prices"
    summary = "Buys at prices like 0.29, 1.15 or 8.20, in many currencies and with promotions; asks for a third of it back."
    signature = "a total that both sides reckoned to the same minor unit"
    ends = "paid at the harness's own total, and a third of it is given back"
    needs = ("create", "pay", "read", "refund", f"tag:{ODD}")

    def cart(self, random: Random, shelves: Shelves) -> Cart:
        return shelves.cart_of(ODD, random)

    def run(self, shopper: Shopper) -> Ended:
        placed = shopper.place()
        if placed.outcome != "ok":
            return Ended(placed.outcome, False)
        said = placed.last.facts
        agreed = (said.amount, said.currency) == (shopper.intent.amount, shopper.intent.currency)
        outcome = shopper.pay()
        if outcome != "ok" or not shopper.is_paid(shopper.read()):
            return Ended(outcome, False, int(agreed))
        granted = shopper.refund(thirds(shopper.intent.amount, shopper.intent.currency)[0]).outcome == "ok"
        return Ended(outcome, agreed and granted, int(agreed))


TRAFFIC = OddPrices()
