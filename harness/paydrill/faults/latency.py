"""latency: every chunk of an edge is held back for a while."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Scene
from paydrill.faults.toxic_on_edges import names_of_edges, toxic_on_edges
from paydrill.topology import Topology
from paydrill.toxiproxy.toxic import Direction, Toxic


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Delays what flows in `direction` by `latency_ms` ± `jitter_ms`, on open connections as well."""

    name: ClassVar[str] = "latency"
    summary: ClassVar[str] = "answers (or requests) of an edge arrive late"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker", "attached")

    edge: str
    latency_ms: int
    direction: Direction = "downstream"
    jitter_ms: int = 0

    def places(self, topology: Topology) -> tuple[str, ...]:
        return names_of_edges(topology, self.edge)

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        toxic = Toxic("latency", self.direction, {"latency": self.latency_ms, "jitter": self.jitter_ms})
        # Toxiproxy is never early; the least that jitter allows is what proves it.
        least_s = max(0, self.latency_ms - self.jitter_ms) / 1000
        patience_s = (self.latency_ms + self.jitter_ms) / 1000 + 2.0
        return toxic_on_edges(
            scene,
            self.edge,
            toxic,
            patience_s,
            lambda seen: seen.saw == "answer" and seen.elapsed_s >= least_s,
        )


FAULT = Latency
