"""Support gives money back, is not sure that it worked, and presses again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.prices import in_steps
from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper


class OperatorRefundAgain(Traffic):
    name = "operator_refund_again"
    summary = "Pays; support then gives a part back by a refund_ref, and presses again with a new key."
    signature = "a second press that found the first one's refund"
    ends = "paid, and one refund for both presses"
    needs = ("create", "pay", "read", "operator_refund", "op.refund_ref")

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        outcome = shopper.pay()
        if outcome != "ok" or not shopper.is_paid(shopper.read()):
            return Ended(outcome, False)
        operators = shopper.shop.operators
        operator = operators[shopper.intent.arrival % len(operators)]
        amount = in_steps(shopper.intent.amount // 3, shopper.intent.currency)
        name = f"{shopper.intent.client_ref}-refund"
        first = shopper.operator_refund(amount, name, 1, operator).outcome
        again = shopper.operator_refund(amount, name, 2, operator).outcome
        return Ended(outcome, (first, again) == ("ok", "ok"), int(again == "ok"))


TRAFFIC = OperatorRefundAgain()
