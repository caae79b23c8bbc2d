"""Buy, then ask for all or a part of the money back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.target import Outcome

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

FULL_SHARE = 0.5


class Refund:
    name = "refund"
    summary = "Places and pays an order; once it reads as paid, asks for all or a part of the money back."
    needs: tuple[str, ...] = ("create", "pay", "read", "refund")
    checkout = True

    def run(self, shopper: Shopper) -> Outcome:
        """The outcome is the checkout's; the refund's own stands in its operations."""
        outcome = shopper.create()
        if outcome != "ok":
            return outcome
        outcome = shopper.pay()
        if outcome != "ok" or not shopper.is_paid(shopper.read()):
            return outcome
        shopper.refund(self.amount(shopper.intent.amount, shopper.intent.dice))
        if not shopper.has_left:
            shopper.read()
        return outcome

    @staticmethod
    def amount(paid: int, dice: tuple[float, float]) -> int:
        """All of it, or from 1 minor unit up to all but one."""
        if dice[0] < FULL_SHARE or paid < 2:
            return paid
        return 1 + int(dice[1] * (paid - 1))


TRAFFIC = Refund()
