"""Customers who type into free text what must never be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

BIN = "400000"
"""Test cards; with what follows, no number that a real card could have."""


class Canary(Traffic):
    name = "canary"
    summary = "Puts a test card's number, its security code and a secret into the note, the name and the e-mail address."
    signature = "an order that took canaries in"
    ends = "paid"
    needs = ("create", "pay", "read", "intent.note", "intent.shipping_name", "intent.email")

    def run(self, shopper: Shopper) -> Ended:
        intent = shopper.intent
        random = shopper.shop.maker.random_of(intent, "canary")
        number = card_number(intent.arrival)
        code = f"cvc {random.randrange(1000):03} of {number[-8:]}"
        secret = f"sk_live_{random.getrandbits(96):024x}"
        intent.note = f"please call me; {code}; my key is {secret}"
        intent.shipping_name = f"{intent.person.name} {number}"[-120:]
        intent.email = f"{number}@example.com"
        shopper.announce()
        for kind, text in (("pan", number), ("cvv", code), ("secret", secret)):
            shopper.shop.history.canary(intent, kind, text)
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        outcome = shopper.pay()
        return Ended(outcome, outcome == "ok", 1)


def card_number(arrival: int) -> str:
    """16 digits, different for each arrival, with the check digit that card numbers have."""
    digits = f"{BIN}{arrival:09}"
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(digits)]
    return digits + str(-sum(value // 10 + value % 10 for value in doubled) % 10)


TRAFFIC = Canary()
