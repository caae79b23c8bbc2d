"""spike: for a while far more customers arrive than usual."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import (
    Carries,
    Effect,
    Expects,
    Family,
    Hits,
    InForce,
    LoadGauge,
    Looks,
    Scene,
    Witness,
    WitnessKind,
)
from paydrill.topology import CLIENT, PSPS, Topology

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
class Spike:
    """The whole mix arrives at `rate` instead of the scenario's rate. Part of the plan's arrivals."""

    name: ClassVar[str] = "spike"
    summary: ClassVar[str] = "a flash sale: far more arrivals for a while"
    family: ClassVar[Family] = "load"
    hits: ClassVar[Hits] = "load"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "arrivals"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker", "attached")
    needs: ClassVar[tuple[str, ...]] = ()
    witnessed_by: ClassVar[WitnessKind] = "load"
    looks: ClassVar[Looks] = "at once"
    undo: ClassVar[str] = "the arrivals fall back to the scenario's rate by themselves"
    example: ClassVar[Mapping[str, object]] = {"rate_per_s": 120.0}

    rate_per_s: float

    def places(self, topology: Topology) -> tuple[str, ...]:
        entered = (edge for edge in topology.edges if edge.client == CLIENT and edge.server not in PSPS)
        return tuple(edge.name for edge in entered)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        # The arrivals are in the plan already; there is nothing to put in force and nothing to heal.
        yield Spiking(scene.load, self.rate_per_s)


FAULT = Spike
