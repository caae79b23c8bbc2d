"""ramp: the rate of arrivals goes steadily from the scenario's to another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import InForce, Scene, Shape, Witness
from paydrill.faults.load_fault import Arriving, Count, LoadFault, arriving

STEP_S = 0.5
MOST_STEPS = 24
LEAST_WATCHED_S = 1.5
MOST_OFF = 0.4


@dataclass
class Ramping(Arriving):
    rate_per_s: float = 0.0

    def witness(self) -> Witness:
        """The last third of the time is near the rate that it goes to, and nearer than the first third was."""
        third = len(self.counts) // 3
        first, last = (_rate(part) for part in (self.counts[: third + 1], self.counts[-third - 1 :]))
        off = abs(last - self.rate_per_s)
        near = off <= MOST_OFF * max(first, self.rate_per_s) and off < abs(first - self.rate_per_s)
        return Witness(
            "load",
            near and self.watched_s >= LEAST_WATCHED_S,
            f"{first:.0f} arrivals/s were seen at first, {last:.0f}/s at last, on the way to {self.rate_per_s:.0f}/s",
            {"first_arrivals_per_s": round(first, 1), "last_arrivals_per_s": round(last, 1)},
        )


def _rate(counts: Sequence[Count]) -> float:
    if len(counts) < 2:
        return 0.0
    return (counts[-1].all - counts[0].all) / (counts[-1].at_s - counts[0].at_s)


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
