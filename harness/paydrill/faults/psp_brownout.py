"""psp_brownout: the PSP is slow, and some of its requests fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Effect
from paydrill.faults.psp_fault import PspFault, PspName, check_seconds, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import SLOW_ANSWER, UNAVAILABLE, Rule

LONGEST_S = 10.0
SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class PspBrownout(PspFault):
    """Two things at once, on every kind of request, reads too, each with a share of its own.

    Slow ones are executed at once and answered half to one and a half of `answer_s` later: the money has
    moved while its caller still waits, or gave up. Failing ones get 500 and were not looked at: no money
    moves, no key is kept, a retry is drawn anew. A caller cannot tell such a 500 from one after a commit.
    """

    name: ClassVar[str] = "psp_brownout"
    summary: ClassVar[str] = "the PSP answers slowly, and a part of its requests fails"
    effect: ClassVar[Effect] = "availability"
    example: ClassVar[Mapping[str, object]] = {"slow_share": 0.6, "answer_s": 0.8, "failing_share": 0.2}
    undo: ClassVar[str] = "both rules are taken away; answers that are held back still come"
    proven_by: ClassVar[str] = "slow answers and failed requests"

    slow_share: float = 0.6
    answer_s: float = 0.8
    failing_share: float = 0.2
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("slow_share", self.slow_share)
        check_share("failing_share", self.failing_share)
        check_seconds("answer_s", self.answer_s, LONGEST_S)

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (
            Rule(f"{name} slow", SLOW_ANSWER, self.slow_share, seconds=self.answer_s),
            Rule(f"{name} failing", UNAVAILABLE, self.failing_share),
        )

    def proofs(self, met: Met) -> int:
        return sum(
            one.status == SERVER_ERROR and not one.by_request
            if one.decision == UNAVAILABLE
            else one.answered_after_s >= self.answer_s / 2
            for one in met.requests
        )

    def proven(self, proofs: Sequence[int]) -> bool:
        return all(proofs)


FAULT = PspBrownout
