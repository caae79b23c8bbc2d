"""psp_maintenance: the PSP is closed and says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Effect
from paydrill.faults.psp_fault import PspFault, PspName
from paydrill.psp.met import Met
from paydrill.psp.rules import MAINTENANCE, Rule

UNAVAILABLE = 503
LONGEST_S = 3600


@dataclass(frozen=True, kw_only=True)
class PspMaintenance(PspFault):
    """Every request, reads too, is answered 503 with `Retry-After`, at once and before it is looked at.

    No money moves, no key is kept, nothing of any payment changes; what the PSP does by itself and its
    events go on. The answer is definite: nothing was executed.
    """

    name: ClassVar[str] = "psp_maintenance"
    summary: ClassVar[str] = "the PSP turns everybody away for a while"
    effect: ClassVar[Effect] = "availability"
    example: ClassVar[Mapping[str, object]] = {"retry_after_s": 1}
    undo: ClassVar[str] = "the rule is taken away"
    proven_by: ClassVar[str] = "requests turned away with 503"

    retry_after_s: int = 1
    psp: PspName | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.retry_after_s <= LONGEST_S:
            raise ValueError(f"retry_after_s is 1 to {LONGEST_S}, got {self.retry_after_s}")

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, MAINTENANCE, seconds=float(self.retry_after_s)),)

    def proofs(self, met: Met) -> int:
        return sum(one.status == UNAVAILABLE and not one.by_request for one in met.requests)


FAULT = PspMaintenance
