"""psp_async: the PSP says "processing", and decides later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Expects
from paydrill.faults.psp_fault import PspFault, PspName, check_seconds, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import ASYNC_FAIL, ASYNC_PENDING, Rule

LONGEST_S = 60.0


@dataclass(frozen=True, kw_only=True)
class PspAsync(PspFault):
    """A charge is answered `processing` and decided `settle_after_s` later, as with a bank transfer.

    Until then the capture is pending: no money has moved, and the payment can be neither captured nor
    canceled. Then it succeeds, or of the `failing_share` of them it fails like a declined card. The merchant
    learns it from events and by asking. What was begun while the fault was on is decided after its healing
    as well.
    """

    name: ClassVar[str] = "psp_async"
    summary: ClassVar[str] = "charges are only begun, and settle later"
    expects: ClassVar[Expects] = "most"
    example: ClassVar[Mapping[str, object]] = {"share": 0.5, "settle_after_s": 1.0, "failing_share": 0.25}
    undo: ClassVar[str] = "the rules are taken away; what was begun under them is still decided"
    proven_by: ClassVar[str] = "charges decided later"

    share: float = 0.5
    settle_after_s: float = 1.0
    failing_share: float = 0.0
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_seconds("settle_after_s", self.settle_after_s, LONGEST_S)
        if not 0 <= self.failing_share <= 1:
            raise ValueError(f"failing_share must be 0 to 1, got {self.failing_share:g}")

    def rules(self, name: str) -> tuple[Rule, ...]:
        fail = self.share * self.failing_share
        # The first rule takes its share of all charges, the second one of those that are left.
        settle = (self.share - fail) / (1 - fail) if fail < 1 else 0.0
        rules = (
            Rule(f"{name} failing", ASYNC_FAIL, fail, seconds=self.settle_after_s),
            Rule(f"{name} settling", ASYNC_PENDING, settle, seconds=self.settle_after_s),
        )
        return tuple(rule for rule in rules if rule.share > 0)

    def proofs(self, met: Met) -> int:
        decided = {"auth", "capture", "decline"}
        return sum(_begun(one.by_request) and bool(decided & {*one.by_itself}) for one in met.requests)


def _begun(effects: tuple[str, ...]) -> bool:
    return "capture pending" in effects or "auth pending" in effects


FAULT = PspAsync
