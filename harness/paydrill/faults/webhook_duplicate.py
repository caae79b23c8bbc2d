"""webhook_duplicate: events are told again after they were heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults.psp_fault import PspName, WebhookFault, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import WEBHOOK_DUPLICATE, Rule

MOST_COPIES = 20


@dataclass(frozen=True, kw_only=True)
class WebhookDuplicate(WebhookFault):
    """A share of the events is told `copies` more times, each once, after a first time that was heard.

    Every copy is genuine: the same event id, signed anew. No money moves at the PSP; whoever takes an
    event for a new fact books, ships or refunds twice.
    """

    name: ClassVar[str] = "webhook_duplicate"
    summary: ClassVar[str] = "the same event comes more than once"
    example: ClassVar[Mapping[str, object]] = {"share": 0.5, "copies": 2}
    undo: ClassVar[str] = "the rule is taken away; copies of what was told under it still come"
    proven_by: ClassVar[str] = "events heard again"

    share: float = 0.5
    copies: int = 1
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)
        if not 1 <= self.copies <= MOST_COPIES:
            raise ValueError(f"copies is 1 to {MOST_COPIES}, got {self.copies}")

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, WEBHOOK_DUPLICATE, self.share, copies=self.copies),)

    def proofs(self, met: Met) -> int:
        return sum(one.copies > 0 for one in met.events)


FAULT = WebhookDuplicate
