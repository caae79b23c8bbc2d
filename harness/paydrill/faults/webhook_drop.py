"""webhook_drop: events never come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries
from paydrill.faults.psp_fault import PspName, WebhookFault, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import WEBHOOK_DROP, Rule


@dataclass(frozen=True, kw_only=True)
class WebhookDrop(WebhookFault):
    """A share of the events is never sent, neither now nor after the healing.

    The money has moved and nobody is told: only asking the PSP finds it. There are no tries, so that an
    edge on which all are dropped carries nothing.
    """

    name: ClassVar[str] = "webhook_drop"
    summary: ClassVar[str] = "events are lost for ever"
    carries: ClassVar[Carries] = "nothing"
    example: ClassVar[Mapping[str, object]] = {"share": 0.5}
    undo: ClassVar[str] = "the rule is taken away; what was dropped never comes"
    proven_by: ClassVar[str] = "events never sent"

    share: float = 0.5
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, WEBHOOK_DROP, self.share),)

    def proofs(self, met: Met) -> int:
        return sum(one.dropped and one.t_sent is None for one in met.events)


FAULT = WebhookDrop
