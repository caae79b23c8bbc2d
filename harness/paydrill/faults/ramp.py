"""ramp: the rate of arrivals goes steadily from the scenario's to another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Arrivals, InForce, Scene, Shape, Witness
from paydrill.faults.load_fault import (
    Arriving,
    LoadFault,
    arriving,
    by_chance_per_s,
    came_as_planned,
)

STEP_S = 0.5
MOST_STEPS = 24
LEAST_WATCHED_S = 0.7
LEAST_DUE = 10
MOST_OFF = 0.4


@dataclass
class Ramping(Arriving):
    rate_per_s: float = 0.0

    def witness(self) -> Witness:
        """As many came as the plan has, and at last near the rate that it goes to.

        Near: within 40 % of the higher of the rates, or what is off is no more than chance makes of so few.
        """
        counts = self.counts
        if not counts:
            return Witness("load", False, "the load told of no arrivals", {})
        third = len(counts) // 3
        first, last = (_rate(part) for part in (counts[: third + 1], counts[-third - 1 :]))
        came, due = counts[-1].started - counts[0].started, counts[-1].due - counts[0].due
        return Witness(
            "load",
            due >= LEAST_DUE and came_as_planned(due, came) and self._goes_there(first, last),
            f"{came} of {due} planned arrivals came: {first:.0f}/s at first, {last:.0f}/s at last, "
            f"on the way to {self.rate_per_s:.0f}/s",
            {"first_arrivals_per_s": round(first, 1), "last_arrivals_per_s": round(last, 1)},
        )

    def _goes_there(self, first: float, last: float) -> bool:
        by_chance = by_chance_per_s(self.rate_per_s, self.watched_s / 3)
        may_be_off = max(MOST_OFF * max(first, self.rate_per_s), by_chance)
        return self.watched_s >= LEAST_WATCHED_S and abs(last - self.rate_per_s) <= may_be_off


def _rate(counts: Sequence[Arrivals]) -> float:
    length_s = counts[-1].at_s - counts[0].at_s if counts else 0.0
    return (counts[-1].started - counts[0].started) / length_s if length_s else 0.0


@dataclass(frozen=True, kw_only=True)
class Ramp(LoadFault):
    """The whole mix arrives faster and faster, or slower and slower, and at `rate` when it ends.

    In equal steps of half a second, or in 24. Part of the plan's arrivals.
    """

    name: ClassVar[str] = "ramp"
    summary: ClassVar[str] = "the load grows steadily to another rate"
    undo: ClassVar[str] = "the arrivals fall back to the scenario's rate by themselves"
    # Both say at which rate the mix arrives.
    claims: ClassVar[str] = "spike"
    example: ClassVar[Mapping[str, object]] = {"rate_per_s": 40.0}

    rate_per_s: float

    def shape(self, usual_per_s: float, length_s: float) -> Shape:
        """Each step has the rate of its middle, so that as many arrive as on a straight line."""
        steps = max(1, min(MOST_STEPS, round(length_s / STEP_S)))
        rise = self.rate_per_s - usual_per_s
        return Shape(
            rates=tuple(
                (step * length_s / steps, round(usual_per_s + rise * (step + 0.5) / steps, 3))
                for step in range(steps)
            )
        )

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        return arriving(Ramping(scene.load, rate_per_s=self.rate_per_s))


FAULT = Ramp
