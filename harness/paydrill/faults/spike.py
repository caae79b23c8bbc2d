"""spike: for a while far more customers arrive than usual."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Arrivals, InForce, LoadGauge, Looks, Scene, Shape, Witness
from paydrill.faults.load_fault import LoadFault, by_chance_per_s, came_as_planned

LOOK_S = 0.6
"""With the wait for the first count, less than the shortest spike that makes sense: after it the rate is the
scenario's again."""
NEWS_WITHIN_S = 1.0
LEAST_SHARE = 0.7


@dataclass(frozen=True)
class Spiking:
    load: LoadGauge
    rate_per_s: float

    def witness(self) -> Witness:
        """As many came as the plan has, and at the rate, but for what chance makes of so short a look."""
        # The last count is from before the spike, for all that is known.
        first = self._counted_after(self.load.arrivals().at_s)
        last = self._counted_after(first.at_s + LOOK_S)
        length_s, came, due = last.at_s - first.at_s, last.started - first.started, last.due - first.due
        rate = came / length_s if length_s else 0.0
        may_be_off = max((1 - LEAST_SHARE) * self.rate_per_s, by_chance_per_s(self.rate_per_s, length_s))
        return Witness(
            "load",
            came_as_planned(due, came) and rate >= self.rate_per_s - may_be_off,
            f"{came} of {due} planned arrivals came: {rate:.0f}/s, {self.rate_per_s:.0f}/s were planned",
            {"arrivals_per_s": rate},
        )

    def _counted_after(self, at_s: float) -> Arrivals:
        """The first count later than that; the latest there is when none comes any more."""
        give_up_s = time.monotonic() + LOOK_S + NEWS_WITHIN_S
        while (latest := self.load.arrivals()).at_s <= at_s and time.monotonic() < give_up_s:
            time.sleep(0.01)
        return latest


@dataclass(frozen=True, kw_only=True)
class Spike(LoadFault):
    """The whole mix arrives at `rate` instead of the scenario's rate. Part of the plan's arrivals."""

    name: ClassVar[str] = "spike"
    summary: ClassVar[str] = "a flash sale: far more arrivals for a while"
    looks: ClassVar[Looks] = "at once"
    undo: ClassVar[str] = "the arrivals fall back to the scenario's rate by themselves"
    example: ClassVar[Mapping[str, object]] = {"rate_per_s": 120.0}

    rate_per_s: float

    def shape(self, usual_per_s: float, length_s: float) -> Shape:
        return Shape(rates=((0.0, self.rate_per_s),))

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        # The arrivals are in the plan already; there is nothing to put in force and nothing to heal.
        yield Spiking(scene.load, self.rate_per_s)


FAULT = Spike
