"""Buy, then ask for all or a part of the money back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.prices import in_steps
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

FULL_SHARE = 0.5


class Refund(Traffic):
    name = "refund"
    summary = "Places and pays an order; once it reads as paid, asks for all or a part of the money back."
    signature = "a refund granted"
    ends = "paid, and the refund is granted"
    needs = ("create", "pay", "read", "refund")

    def run(self, shopper: Shopper) -> Ended:
        """The outcome is the checkout's; the refund's own stands in its operations."""
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        outcome = shopper.pay()
        if outcome != "ok" or not shopper.is_paid(shopper.read()):
            return Ended(outcome, False)
        amount = self.amount(shopper.intent.amount, shopper.intent.dice)
        granted = shopper.refund(in_steps(amount, shopper.intent.currency)).outcome == "ok"
        if not shopper.has_left:
            shopper.read()
        return Ended(outcome, granted, int(granted))

    @staticmethod
    def amount(paid: int, dice: tuple[float, float]) -> int:
        """All of it, or from 1 minor unit up to all but one."""
        if dice[0] < FULL_SHARE or paid < 2:
            return paid
        return 1 + int(dice[1] * (paid - 1))


TRAFFIC = Refund()
