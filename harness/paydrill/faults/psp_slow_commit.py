"""psp_slow_commit: the PSP takes so long that the money moves after its caller gave up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults.psp_fault import Operation, PspFault, PspName, check_seconds, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import SLOW_COMMIT, Rule

LONGEST_S = 60.0


@dataclass(frozen=True, kw_only=True)
class PspSlowCommit(PspFault):
    """The request is accepted at once and executed `commit_after_s` later, whether or not anybody waits.

    Until then the payment is as it was, its key answers 409 and the payment itself 429 `lock_timeout`; then
    the money moves. A caller with a shorter time-out has given up by then. What was accepted while the
    fault was on is executed after its healing as well. `operation` left out: every one that moves money.
    """

    name: ClassVar[str] = "psp_slow_commit"
    summary: ClassVar[str] = "the PSP accepts, and commits after its caller gave up"
    example: ClassVar[Mapping[str, object]] = {"share": 0.3, "commit_after_s": 2.5}
    proven_by: ClassVar[str] = "commits that came so late"

    share: float = 0.3
    commit_after_s: float = 2.5
    operation: Operation | None = None
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_seconds("commit_after_s", self.commit_after_s, LONGEST_S)

    def rules(self, name: str) -> tuple[Rule, ...]:
        rule = Rule(name, SLOW_COMMIT, self.share, operation=self.operation, seconds=self.commit_after_s)
        return (rule,)

    def proofs(self, met: Met) -> int:
        return sum(bool(one.by_request) and one.done_after_s >= self.commit_after_s for one in met.requests)


FAULT = PspSlowCommit
