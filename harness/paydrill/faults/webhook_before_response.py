"""webhook_before_response: an event comes before the answer to the call that caused it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults.psp_fault import PspName, WebhookFault, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import WEBHOOK_BEFORE_RESPONSE, Rule


@dataclass(frozen=True, kw_only=True)
class WebhookBeforeResponse(WebhookFault):
    """The answer to a call waits, 3 s at most, until the first try to tell its event has ended.

    The money has moved; the merchant hears of a payment from outside while its own call is still open and
    it may not have written down the payment's id. Each event is drawn by itself, and a call waits for those
    of its events that are hit.
    """

    name: ClassVar[str] = "webhook_before_response"
    summary: ClassVar[str] = "events come before the answer to their call"
    example: ClassVar[Mapping[str, object]] = {"share": 0.5}
    undo: ClassVar[str] = "the rule is taken away"
    proven_by: ClassVar[str] = "events heard before their call was answered"

    share: float = 0.5
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, WEBHOOK_BEFORE_RESPONSE, self.share),)

    def proofs(self, met: Met) -> int:
        return sum(one.before_answer for one in met.events)


FAULT = WebhookBeforeResponse
