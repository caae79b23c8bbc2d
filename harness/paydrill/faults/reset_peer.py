"""reset_peer: connections of an edge are ended by a TCP reset as soon as data flows."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Scene
from paydrill.faults.toxic_on_edges import names_of_edges, toxic_on_edges
from paydrill.topology import Topology
from paydrill.toxiproxy.toxic import Direction, Toxic


@dataclass(frozen=True, kw_only=True)
class ResetPeer:
    """Resets after `timeout_ms`; downstream the request has already arrived by then."""

    name: ClassVar[str] = "reset_peer"
    summary: ClassVar[str] = "connections are cut by a reset in the middle of a call"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker", "attached")

    edge: str
    direction: Direction = "downstream"
    timeout_ms: int = 0

    def places(self, topology: Topology) -> tuple[str, ...]:
        return names_of_edges(topology, self.edge)

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        toxic = Toxic("reset_peer", self.direction, {"timeout": self.timeout_ms})
        patience_s = self.timeout_ms / 1000 + 1.5
        return toxic_on_edges(
            scene, self.edge, toxic, patience_s, lambda seen: seen.saw in ("reset", "closed")
        )


FAULT = ResetPeer
