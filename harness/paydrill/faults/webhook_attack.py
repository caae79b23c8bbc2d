"""What the attacks by webhook have in common: they send what looks like an event of the PSP."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random

from paydrill.faults import Scene
from paydrill.faults.attack_fault import AttackFault
from paydrill.faults.strangers import Visit
from paydrill.growing_file import GrowingFile
from paydrill.psp.events_told import EventsTold, Letter
from paydrill.run_folder import RunFolder
from paydrill.target import Target
from paydrill.topology import Topology


@dataclass(frozen=True, kw_only=True)
class WebhookAttack(AttackFault):
    """At the path that the target takes events at (`attacks.webhook`), by the way of its customers."""

    def check(self, target: Target, topology: Topology) -> None:
        if not target.attacks.webhook:
            raise ValueError(
                f"the target {target.name} says of no path that it takes the PSP's events there (attacks.webhook in its target.yaml)"
            )


def visit_of(scene: Scene, about: str, letter: Letter, *, refused: bool) -> Visit:
    headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": letter.signed}
    path = scene.stack.setup.target.attacks.webhook or "/"
    return Visit(about, "POST", path, headers, letter.body, refused)


def told_by_psp(scene: Scene) -> EventsTold:
    """What the first PSP has told so far, and what it knows."""
    return EventsTold(GrowingFile(RunFolder(scene.stack.setup.run_dir).psp_journal))


@dataclass
class NeverCaptured:
    """Makes events that say of an open payment that it was captured.

    The open ones are those that the PSP has not decided; where there are none, declined ones, and then any.
    """

    events: EventsTold
    chance: Random
    name: str

    def letter(self, number: int, secret: str, age_s: int) -> tuple[str, Letter] | None:
        """What it is about, in a word, and the event, signed `age_s` ago; None: the PSP knows of no payment yet."""
        self.events.read()
        open_ = self.events.open_intents()
        known = open_ or list(self.events.intents.values())
        if not known:
            return None
        intent = self.chance.choice(known)
        about = "an open payment" if open_ else "a payment"
        return about, self.events.captured(intent, f"{self.name}{number}", secret, int(time.time()) - age_s)
