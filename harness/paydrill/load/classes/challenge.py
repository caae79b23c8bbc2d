"""A payment that the customer's bank wants to have confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydrill.load.traffic import Ended, Traffic

if TYPE_CHECKING:
    from paydrill.load.shopper import Shopper

REFUSED, ABANDONED, TWICE = 0.15, 0.3, 0.45
"""Below the first of these dice refuse it, below the second never do it, below the third do it twice."""


class Challenge(Traffic):
    name = "challenge"
    summary = (
        "Pays with a card whose bank asks back: does the challenge, refuses it, leaves it, or does it twice."
    )
    signature = "a challenge answered at the PSP"
    ends = "paid; where it was refused or left: failed"
    needs = ("create", "pay", "read", "challenge")
    checkout = False
    at_once = 2

    def run(self, shopper: Shopper) -> Ended:
        outcome = shopper.create()
        if outcome != "ok":
            return Ended(outcome, False)
        dice, card = shopper.intent.dice[0], shopper.card(how="challenge")
        step = shopper.present(card)
        if step.outcome == "ok" and shopper.intent.challenge is None:
            shopper.read()
        if step.outcome != "ok" or shopper.intent.challenge is None:
            return Ended(shopper.settle(step), False)
        approves = dice >= ABANDONED
        times = 0 if REFUSED <= dice < ABANDONED else 2 if approves and dice < TWICE else 1
        answered = shopper.together(*[lambda: shopper.do_challenge(approves, card).outcome] * times)
        outcome = shopper.settle(step)
        settled = outcome == "ok" and shopper.saw_paid if approves else outcome == "fail"
        return Ended(outcome, settled and answered == ["ok"] * times, answered.count("ok"))


TRAFFIC = Challenge()
