"""What the attacks have in common: probes at the target's own entrance, each refused or not."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.errors import FaultNotApplied
from paydrill.faults import (
    Carries,
    Effect,
    Expects,
    Family,
    Hits,
    InForce,
    Looks,
    Scene,
    Witness,
    WitnessKind,
)
from paydrill.faults.load_fault import LoadFault
from paydrill.faults.strangers import Answer, NextVisit, Strangers, by_status, door_of, sent_by_strangers
from paydrill.target import Target
from paydrill.topology import Topology

MOST_PER_S = 20.0
SLOW_S = 0.95
"""A probe that makes a database sleep asks for a second."""


class Attacking(Strangers):
    """Counts what the target said to the probes: that it was fooled is for the invariants to find."""

    def witness(self) -> Witness:
        """Any answer of the target to any probe: then the attack was met, whatever came of it."""
        answers = self.answers()
        statuses = by_status(answers)
        accepted = Counter(one.visit.about for one in answers if one.accepted and one.visit.refused)
        measured = {
            "sent": float(self.sent),
            "answered": float(len(answers)),
            "refused": float(sum(400 <= one.status < 500 for one in answers)),
            "accepted": float(accepted.total()),
            "errors_5xx": float(sum(one.status >= 500 for one in answers)),
            "slow": float(sum(one.took_s >= SLOW_S for one in answers)),
            **{f"status_{status}": float(count) for status, count in statuses.items()},
        }
        said = ", ".join(f"{count} × {status}" for status, count in statuses.items()) or "nothing"
        return Witness(
            "answer",
            bool(answers),
            f"{len(answers)} of {self.sent} probes were answered: {said}; {_fooled(accepted, answers)}",
            measured,
        )


def _fooled(accepted: Counter[str], answers: list[Answer]) -> str:
    if accepted:
        named = ", ".join(f"{about} ({count})" for about, count in accepted.most_common())
        return f"ACCEPTED although they must be refused: {named}"
    if any(one.visit.refused for one in answers):
        return "none that must be refused was accepted"
    return "they may be accepted, and must change nothing"


@dataclass(frozen=True, kw_only=True)
class AttackFault(LoadFault):
    """Frozen; a subclass says what is sent. `rate`: probes per second, at most 20."""

    family: ClassVar[Family] = "attack"
    hits: ClassVar[Hits] = "target"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "most"
    carries: ClassVar[Carries] = "arrivals"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker")
    witnessed_by: ClassVar[WitnessKind] = "answer"
    looks: ClassVar[Looks] = "at its end"
    undo: ClassVar[str] = "no more probes are sent; what a fooled target did stays, and dies with the run"
    name: ClassVar[str]

    rate_per_s: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.rate_per_s <= MOST_PER_S:
            raise ValueError(f"rate: at most {MOST_PER_S:.0f} probes/s, got {self.rate_per_s:g}/s")

    @abstractmethod
    def check(self, target: Target, topology: Topology) -> None:
        """Raises ValueError when the target's description says nothing of what is attacked."""

    @abstractmethod
    def probes(self, scene: Scene) -> NextVisit:
        """What is sent."""

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        try:
            self.check(scene.stack.setup.target, scene.stack.topology)
        except ValueError as problem:
            raise FaultNotApplied(f"{self.name}: {problem}") from problem
        attacking, door = Attacking(), door_of(scene.stack)
        mark = f"{self.name}/{scene.fault_id}"
        with sent_by_strangers(attacking, door, self.rate_per_s, self.probes(scene), mark):
            yield attacking
