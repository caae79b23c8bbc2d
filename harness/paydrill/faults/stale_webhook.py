"""stale_webhook: events that are signed rightly, but long ago, say that somebody has paid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Scene
from paydrill.faults.strangers import NextVisit, Visit
from paydrill.faults.webhook_attack import NeverCaptured, WebhookAttack, told_by_psp, visit_of

LEAST_AGE_S = 301
"""Stripe's libraries accept 300 s."""


@dataclass(frozen=True, kw_only=True)
class StaleWebhook(WebhookAttack):
    """Says of open payments that they were captured, signed with the right secret, but `age_s` ago: more
    than the 300 s that Stripe's libraries accept.

    Who believes it believes whatever was ever signed: I-43, I-31 as with `forged_webhook`. Each must be
    refused (4xx). The path is `attacks.webhook` of the target.
    """

    name: ClassVar[str] = "stale_webhook"
    summary: ClassVar[str] = "rightly signed events that are too old say that open payments were captured"
    example: ClassVar[Mapping[str, object]] = {"rate_per_s": 5.0, "age_s": 600}

    age_s: int = 600

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.age_s < LEAST_AGE_S:
            raise ValueError(f"age_s: at least {LEAST_AGE_S}, or the event is not stale, got {self.age_s}")

    def probes(self, scene: Scene) -> NextVisit:
        making = NeverCaptured(told_by_psp(scene), scene.chance("stale"), f"stale{scene.fault_id}n")
        secret = scene.stack.setup.secrets.webhook_secret

        def next_visit(number: int) -> Visit | None:
            made = making.letter(number, secret, self.age_s)
            return made and visit_of(scene, f"stale capture of {made[0]}", made[1], refused=True)

        return next_visit


FAULT = StaleWebhook
