"""How one execution turns out: what a behaviour says of it, in the words of a card's own suffix (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from paydrill.psp.money import THREE_DECIMALS

DECLINED = "declined"
PARTIAL = "partial"


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
