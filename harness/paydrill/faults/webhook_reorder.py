"""webhook_reorder: later events overtake earlier ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults.psp_fault import PspName, WebhookFault, check_seconds, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import WEBHOOK_REORDER, Rule

LONGEST_S = 60.0


@dataclass(frozen=True, kw_only=True)
class WebhookReorder(WebhookFault):
    """Each of a share of the events waits a time of its own, drawn between 0 and `within_s`, before its first try.

    So of one payment `succeeded` may come before `created`, or a refund before its charge. Nothing is lost
    and no money moves; who believes the last event that came, and not the newest, ends in an old state.
    Witnessed when an event was sent after a later one of the same payment.
    """

    name: ClassVar[str] = "webhook_reorder"
    summary: ClassVar[str] = "events come in another order"
    example: ClassVar[Mapping[str, object]] = {"share": 1.0, "within_s": 1.0}
    undo: ClassVar[str] = "the rule is taken away; events that wait under it still come"
    proven_by: ClassVar[str] = "events overtaken by later ones of their payment"

    share: float = 1.0
    within_s: float = 1.0
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_seconds("within_s", self.within_s, LONGEST_S)

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, WEBHOOK_REORDER, self.share, seconds=self.within_s),)

    def proofs(self, met: Met) -> int:
        return sum(one.overtaken for one in met.events)


FAULT = WebhookReorder
