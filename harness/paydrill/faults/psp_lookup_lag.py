"""psp_lookup_lag: what the PSP has done cannot be found there yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Expects
from paydrill.faults.psp_fault import PspFault, PspName, check_seconds
from paydrill.psp.met import Met
from paydrill.psp.rules import LOOKUP_LAG, Rule

LONGEST_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class PspLookupLag(PspFault):
    """Searches and lists leave out what was created within the last `lag_s`; reading by id does not.

    Money moves as usual. Who looks for a payment whose answer was lost does not find it although it was
    charged: that a lookup finds nothing is no proof that nothing happened. Witnessed when something that
    fitted was left out of an answer, so only where the target looks things up.
    """

    name: ClassVar[str] = "psp_lookup_lag"
    summary: ClassVar[str] = "the PSP's searches and lists do not know yet what has just happened"
    expects: ClassVar[Expects] = "most"
    example: ClassVar[Mapping[str, object]] = {"lag_s": 3.0}
    undo: ClassVar[str] = "the rule is taken away: everything is found again"
    proven_by: ClassVar[str] = "lookups that left out what had happened"

    lag_s: float = 3.0
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_seconds("lag_s", self.lag_s, LONGEST_S)

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, LOOKUP_LAG, seconds=self.lag_s),)

    def proofs(self, met: Met) -> int:
        # A lookup is told of its rule only when it left something out.
        return sum(one.decision == LOOKUP_LAG and one.delivered is True for one in met.requests)


FAULT = PspLookupLag
