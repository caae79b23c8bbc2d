"""webhook_delay: events come late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults.psp_fault import PspName, WebhookFault, check_seconds, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import WEBHOOK_DELAY, Rule

LONGEST_S = 60.0


@dataclass(frozen=True, kw_only=True)
class WebhookDelay(WebhookFault):
    """The first try of a share of the events comes `delay_s` after what it tells of; retries go on as usual.

    The money has moved long before the merchant hears of it, and who only listens shows an old state. All
    that are hit keep their order, since all wait equally long.
    """

    name: ClassVar[str] = "webhook_delay"
    summary: ClassVar[str] = "events come seconds late"
    example: ClassVar[Mapping[str, object]] = {"share": 1.0, "delay_s": 1.5}
    undo: ClassVar[str] = "the rule is taken away; events that wait under it still come"
    proven_by: ClassVar[str] = "events told so late"

    share: float = 1.0
    delay_s: float = 1.5
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_seconds("delay_s", self.delay_s, LONGEST_S)

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, WEBHOOK_DELAY, self.share, seconds=self.delay_s),)

    def proofs(self, met: Met) -> int:
        return sum(one.waited_s >= self.delay_s for one in met.events)


FAULT = WebhookDelay
