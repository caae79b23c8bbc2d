"""spike: for a while far more customers arrive than usual."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import InForce, LoadGauge, Looks, Scene, Shape, Witness
from paydrill.faults.load_fault import LoadFault

LOOK_S = 0.9
"""Less than the shortest spike that makes sense: after it the rate is the scenario's again."""
LEAST_SHARE = 0.7


@dataclass(frozen=True)
class Spiking:
    load: LoadGauge
    rate_per_s: float

    def witness(self) -> Witness:
        began, before = time.monotonic(), self.load.started()
        time.sleep(LOOK_S)
        rate = (self.load.started() - before) / (time.monotonic() - began)
        return Witness(
            "load",
            rate >= LEAST_SHARE * self.rate_per_s,
            f"{rate:.0f} arrivals/s were seen, {self.rate_per_s:.0f}/s were planned",
            {"arrivals_per_s": rate},
        )


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
