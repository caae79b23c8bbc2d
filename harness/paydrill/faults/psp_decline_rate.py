"""psp_decline_rate: the PSP declines far more cards than usual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Effect
from paydrill.faults.psp_fault import PspFault, PspName, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import DECLINE, Rule


@dataclass(frozen=True, kw_only=True)
class PspDeclineRate(PspFault):
    """A share of all charges is answered 402 `card_declined`, as after a bank's or a risk model's mistake.

    No money moves: the payment goes back to asking for a payment method, a failed charge remains, and the
    answer is definite. Another card, or the same one in another try, may be approved.
    """

    name: ClassVar[str] = "psp_decline_rate"
    summary: ClassVar[str] = "the PSP declines a share of all charges"
    effect: ClassVar[Effect] = "availability"
    example: ClassVar[Mapping[str, object]] = {"share": 0.5}
    undo: ClassVar[str] = "the rule is taken away; what was declined stays declined"
    proven_by: ClassVar[str] = "charges declined"

    share: float = 0.5
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, DECLINE, self.share),)

    def proofs(self, met: Met) -> int:
        return sum("decline" in one.by_request for one in met.requests)


FAULT = PspDeclineRate
