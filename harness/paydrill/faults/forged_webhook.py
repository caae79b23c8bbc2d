"""forged_webhook: events with a wrong signature say that somebody has paid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Scene
from paydrill.faults.strangers import NextVisit, Visit
from paydrill.faults.webhook_attack import NeverCaptured, WebhookAttack, told_by_psp, visit_of

NO_SECRET = "whsec_of_somebody_else"


@dataclass(frozen=True, kw_only=True)
class ForgedWebhook(WebhookAttack):
    """Says of open payments that they were captured, signed with another secret than the PSP's.

    A target that believes it takes an order for paid that nobody was charged for: I-43 (acknowledged as
    paid, but nothing was captured), I-31 (shown as paid). It needs payments that stay open for a while, as
    those of the classes `async_method` and `challenge`. Each must be refused (4xx). The path is `attacks.webhook` of the target.
    """

    name: ClassVar[str] = "forged_webhook"
    summary: ClassVar[str] = "events with a wrong signature say that open payments were captured"
    example: ClassVar[Mapping[str, object]] = {"rate_per_s": 5.0}

    def probes(self, scene: Scene) -> NextVisit:
        making = NeverCaptured(told_by_psp(scene), scene.chance("forged"), f"forged{scene.fault_id}n")

        def next_visit(number: int) -> Visit | None:
            made = making.letter(number, NO_SECRET, age_s=0)
            return made and visit_of(scene, f"capture of {made[0]}", made[1], refused=True)

        return next_visit


FAULT = ForgedWebhook
