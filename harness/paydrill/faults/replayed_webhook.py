"""replayed_webhook: what the PSP has told once is told again, byte for byte, by somebody who listened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Scene
from paydrill.faults.strangers import NextVisit, Visit
from paydrill.faults.webhook_attack import WebhookAttack, told_by_psp, visit_of


@dataclass(frozen=True, kw_only=True)
class ReplayedWebhook(WebhookAttack):
    """Sends genuine events again that the target has heard before: same body, same signature, same time in
    it, which is still in the window where the drill is shorter than that.

    It may be answered 2xx, as a duplicate; it must have no effect. Who takes it for news captures, ships or
    gives back twice, or takes a refunded order for paid again: I-01, I-43, I-31. The path is `attacks.webhook` of the target.
    """

    name: ClassVar[str] = "replayed_webhook"
    summary: ClassVar[str] = "genuine events are sent again later"
    example: ClassVar[Mapping[str, object]] = {"rate_per_s": 5.0}

    def probes(self, scene: Scene) -> NextVisit:
        events, chance = told_by_psp(scene), scene.chance("replayed")
        secret = scene.stack.setup.secrets.webhook_secret

        def next_visit(_: int) -> Visit | None:
            events.read()
            if not events.told:
                return None
            letter = events.again(chance.choice(list(events.told)), secret)
            return visit_of(scene, "an event heard before", letter, refused=False)

        return next_visit


FAULT = ReplayedWebhook
