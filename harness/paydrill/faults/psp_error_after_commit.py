"""psp_error_after_commit: the PSP does what it was asked, and says that it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults.psp_fault import Operation, PspFault, PspName, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import COMMIT_THEN_500, Rule

SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class PspErrorAfterCommit(PspFault):
    """The operation is executed and durable, then 500 `api_error` is answered.

    The money has moved although the answer says that something failed. What the same idempotency key gets
    depends on the PSP's profile: with `stripe` the 500 for ever, so that only reading the payment tells.
    `operation` left out: every one that moves money.
    """

    name: ClassVar[str] = "psp_error_after_commit"
    summary: ClassVar[str] = "the PSP commits, and answers with a server error"
    example: ClassVar[Mapping[str, object]] = {"share": 0.3}
    proven_by: ClassVar[str] = "errors answered after a commit"

    share: float = 0.3
    operation: Operation | None = None
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, COMMIT_THEN_500, self.share, operation=self.operation),)

    def proofs(self, met: Met) -> int:
        return sum(bool(one.by_request) and one.status == SERVER_ERROR for one in met.requests)


FAULT = PspErrorAfterCommit
