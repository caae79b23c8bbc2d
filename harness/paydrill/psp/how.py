"""How one execution turns out: what a behaviour says of it, in the words of a card's own suffix (pure).

`pm_pd_7_async` and the behaviour `async_pending` mean the same thing to the machine. This is the one
place where the two vocabularies meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paydrill.psp import rules
from paydrill.psp.behaviours import Decision
from paydrill.psp.money import THREE_DECIMALS

DECLINED = "declined"
PARTIAL = "partial"

WORDS: Mapping[str, str] = {
    rules.DECLINE: DECLINED,
    rules.PARTIAL_CAPTURE: PARTIAL,
    rules.ASYNC_PENDING: "async",
    rules.AUTH_EXPIRE: "expires",
    rules.LATE_RISK_DECLINE: "latedecline",
    rules.CHARGEBACK: "disputed",
}
"""Behaviours that live in the machine; all others live at the desk."""


@dataclass(frozen=True, slots=True)
class How:
    """`word` None: as its token says. `after_s`: when what comes later comes; `part`: of a partial capture."""

    word: str | None = None
    after_s: float | None = None
    part: float = 1.0

    def taken_of(self, amount: int, currency: str) -> int:
        """What an automatic charge of an amount captures: a part, rounded down to the currency's step."""
        if self.word != PARTIAL:
            return amount
        step = 10 if currency in THREE_DECIMALS else 1
        return max(step, int(amount * self.part) // step * step)


AS_USUAL = How()


def how_of(decision: Decision | None, part: float) -> How:
    """What the machine is told of a decision."""
    word = WORDS.get(decision.behaviour) if decision is not None else None
    if word is None or decision is None:
        return AS_USUAL
    return How(word, decision.seconds, part)
