"""timeout: what flows in one direction of an edge is lost, and the connection stays open.

Downstream is the double-charge maker: the request arrives, only its answer does not.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Scene
from paydrill.faults.toxic_on_edges import names_of_edges, toxic_on_edges
from paydrill.topology import Topology
from paydrill.toxiproxy.toxic import Direction, Toxic

PATIENCE_S = 0.8


@dataclass(frozen=True, kw_only=True)
class Timeout:
    """Swallows data; closes the connection after `timeout_ms` (0: not before it is healed)."""

    name: ClassVar[str] = "timeout"
    summary: ClassVar[str] = "requests arrive and their answers are lost (or the reverse)"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker", "attached")

    edge: str
    direction: Direction = "downstream"
    timeout_ms: int = 0

    def places(self, topology: Topology) -> tuple[str, ...]:
        return names_of_edges(topology, self.edge)

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        toxic = Toxic("timeout", self.direction, {"timeout": self.timeout_ms})
        return toxic_on_edges(
            scene, self.edge, toxic, PATIENCE_S, lambda seen: seen.saw in ("silence", "closed", "reset")
        )


FAULT = Timeout
