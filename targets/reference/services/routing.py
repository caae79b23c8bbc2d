"""Which PSP a new attempt to have an order paid goes to. Pure.

An attempt may go elsewhere than the one before it only when that one is definitely not charged there:
declined, failed, or proven absent. After `unknown` that takes proof from the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.payment_rows import CAME_TO_NOTHING

TECHNICAL = ("processing_error",)
"""Declines that say something about the PSP and nothing about the card."""


@dataclass(frozen=True)
class Earlier:
    """An earlier attempt of the same order."""

    psp: str
    state: str
    code: str | None

    @property
    def is_definitely_not_charged(self) -> bool:
        return self.state in CAME_TO_NOTHING

    @property
    def failed_there(self) -> bool:
        """Whether another PSP may do better."""
        return self.state == "failed" or (self.state == "declined" and self.code in TECHNICAL)


def choose(names: Sequence[str], earlier: Sequence[Earlier]) -> str:
    """One of `names` (in order of preference): the first where fewest attempts have failed.

    The PSP of an attempt that is not definitely without a charge comes before all.
    """
    for attempt in earlier:
        if not attempt.is_definitely_not_charged:
            return attempt.psp
    return min(
        names, key=lambda name: sum(attempt.psp == name and attempt.failed_there for attempt in earlier)
    )
