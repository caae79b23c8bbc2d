"""What the faults of the load have in common: they come in where the customers do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from paydrill.faults import (
    Arrivals,
    Carries,
    Effect,
    Expects,
    Family,
    Hits,
    InForce,
    LoadGauge,
    Looks,
    Witness,
    WitnessKind,
)
from paydrill.topology import CLIENT, PSPS, Topology

LOOK_EVERY_S = 0.05
LEAST_CAME = 0.8
"""Of the arrivals that the plan has in a while, so many come in it even on a busy machine."""
SIGMAS = 3


@dataclass(frozen=True)
class LoadFault:
    """At every edge by which customers enter. Frozen; a subclass adds its fields and what it does."""

    family: ClassVar[Family] = "load"
    hits: ClassVar[Hits] = "load"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "arrivals"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker", "attached")
    needs: ClassVar[tuple[str, ...]] = ()
    witnessed_by: ClassVar[WitnessKind] = "load"
    looks: ClassVar[Looks] = "at its end"

    def places(self, topology: Topology) -> tuple[str, ...]:
        entered = (edge for edge in topology.edges if edge.client == CLIENT and edge.server not in PSPS)
        return tuple(edge.name for edge in entered)


@dataclass
class Arriving:
    """Notes each count of the arrivals that is told while the fault is on; what they mean is a subclass's."""

    load: LoadGauge
    counts: list[Arrivals] = field(default_factory=list)
    due_s: float = 0.0

    def step(self) -> float:
        now_s = time.monotonic()
        if now_s >= self.due_s:
            told = self.load.arrivals()
            # At its 0 nothing has been told yet.
            if told.at_s > (self.counts[-1].at_s if self.counts else 0.0):
                self.counts.append(told)
            self.due_s = now_s + LOOK_EVERY_S
        return self.due_s - now_s

    @property
    def watched_s(self) -> float:
        return self.counts[-1].at_s - self.counts[0].at_s if self.counts else 0.0

    def witness(self) -> Witness:
        raise NotImplementedError


def came_as_planned(due: int, came: int) -> bool:
    """Whether arrivals were due in a while, and began."""
    return due > 0 and came >= LEAST_CAME * due


def by_chance_per_s(rate_per_s: float, length_s: float) -> float:
    """How far a rate may look off in so short a time: arrivals come by chance (Poisson), three sigmas."""
    return SIGMAS * (rate_per_s / length_s) ** 0.5 if length_s > 0 else 0.0


@contextmanager
def arriving(watch: Arriving) -> Iterator[InForce]:
    """The arrivals are in the plan already: there is nothing to put in force and nothing to heal."""
    watch.step()
    yield watch
