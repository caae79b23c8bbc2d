"""latency: every chunk of an edge is held back for a while.

With jitter there are two toxics: one with the least delay, which never changes, and one with the rest,
which gets another value several times a second. Changing a toxic makes Toxiproxy let go of what it holds
back: on a single toxic each change would undo the delay. The server's own jitter is not from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Scene
from paydrill.faults.changing import Changing, whole_numbers
from paydrill.faults.edge_fault import EdgeFault, Existing, OnEdges, toxics_on
from paydrill.topology import Edge
from paydrill.toxiproxy.toxic import Direction, Toxic

CHANGE_EVERY_S = 0.25
# A change lets go what is held back just then: few chunks are, if it comes seldom against their delay.
CHANGE_SELDOM = 4


@dataclass(frozen=True, kw_only=True)
class Latency(EdgeFault):
    """Delays what flows in `direction` by `latency_ms` ± `jitter_ms`, on open connections as well."""

    name: ClassVar[str] = "latency"
    summary: ClassVar[str] = "answers (or requests) of an edge arrive late"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    example: ClassVar[Mapping[str, object]] = {
        "edge": "orders->payments",
        "latency_ms": 200,
        "jitter_ms": 50,
    }

    edge: str
    latency_ms: int
    direction: Direction = "downstream"
    jitter_ms: int = 0
    existing: Existing = "keep"

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        edges = scene.stack.topology.edges_at(self.edge)
        least_ms, most_ms = max(0, self.latency_ms - self.jitter_ms), self.latency_ms + self.jitter_ms
        # Toxiproxy is never early; the least that jitter allows is what proves it.
        looking = OnEdges(
            scene.stack,
            edges,
            most_ms / 1000 + 2.0,
            lambda seen: seen.saw == "answer" and seen.elapsed_s >= least_ms / 1000,
        )
        steady = Toxic("latency", self.direction, {"latency": least_ms, "jitter": 0})
        toxics = [(edge, steady) for edge in edges]
        if not self.jitter_ms:
            with toxics_on(scene, toxics, self.existing):
                yield looking
            return
        schedules = [(edge, self.jitter(scene, edge, most_ms - least_ms)) for edge in edges]
        toxics += [(edge, next(schedule)) for edge, schedule in schedules]
        every_s = max(CHANGE_EVERY_S, CHANGE_SELDOM * (most_ms - least_ms) / 1000)
        with toxics_on(scene, toxics, self.existing):
            yield Changing(looking, scene.stack.toxiproxy, schedules, every_s)

    def jitter(self, scene: Scene, edge: Edge, most_ms: int) -> Iterator[Toxic]:
        """What comes on top of the least delay, one toxic after the other."""
        for extra_ms in whole_numbers(scene.chance(edge.name), 0, most_ms):
            attributes = {"latency": extra_ms, "jitter": 0}
            yield Toxic("latency", self.direction, attributes, label="jitter")


FAULT = Latency
