"""psp_response_lost: the PSP does what it was asked, and its answer is cut off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults.psp_fault import Operation, PspFault, PspName, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import COMMIT_THEN_DROP, Rule


@dataclass(frozen=True, kw_only=True)
class PspResponseLost(PspFault):
    """The operation is executed and durable, then the connection is cut without a byte of an answer.

    The money has moved (or the card was declined) and nobody was told. The same idempotency key gets the
    answer that was lost; another key does it all again. `operation` left out: every one that moves money.
    """

    name: ClassVar[str] = "psp_response_lost"
    summary: ClassVar[str] = "the PSP commits, and its answer is lost"
    example: ClassVar[Mapping[str, object]] = {"share": 0.3}
    proven_by: ClassVar[str] = "answers lost after their commit"

    share: float = 0.3
    operation: Operation | None = None
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, COMMIT_THEN_DROP, self.share, operation=self.operation),)

    def proofs(self, met: Met) -> int:
        return sum(bool(one.by_request) and one.delivered is False for one in met.requests)


FAULT = PspResponseLost
