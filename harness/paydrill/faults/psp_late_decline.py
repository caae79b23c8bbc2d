"""psp_late_decline: the PSP takes back what it had approved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Expects
from paydrill.faults.psp_fault import PspFault, PspName, check_seconds, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import LATE_RISK_DECLINE, Rule

LONGEST_S = 60.0


@dataclass(frozen=True, kw_only=True)
class PspLateDecline(PspFault):
    """A charge is approved and answered as usual; `reverse_after_s` later the PSP's risk department undoes it.

    What is held is released and the payment canceled; what was captured is refunded to the customer, by
    the PSP itself. The merchant learns it from events and by asking. It lasts longer than its seconds for
    the fault to be seen; what was charged while it was on is reversed after its healing as well.
    """

    name: ClassVar[str] = "psp_late_decline"
    summary: ClassVar[str] = "the PSP approves, and reverses it seconds later"
    expects: ClassVar[Expects] = "most"
    example: ClassVar[Mapping[str, object]] = {"share": 0.3, "reverse_after_s": 1.0}
    undo: ClassVar[str] = "the rule is taken away; what was approved under it is still reversed"
    proven_by: ClassVar[str] = "charges reversed by the PSP"

    share: float = 0.3
    reverse_after_s: float = 1.0
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_seconds("reverse_after_s", self.reverse_after_s, LONGEST_S)

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, LATE_RISK_DECLINE, self.share, seconds=self.reverse_after_s),)

    def proofs(self, met: Met) -> int:
        return sum("refund" in one.by_itself or "release" in one.by_itself for one in met.requests)


FAULT = PspLateDecline
