"""reset_peer: connections of an edge are ended by a TCP reset as soon as data flows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Scene
from paydrill.faults.edge_fault import EdgeFault, Existing, toxic_on_edges
from paydrill.toxiproxy.toxic import Direction, Toxic


@dataclass(frozen=True, kw_only=True)
class ResetPeer(EdgeFault):
    """Resets after `timeout_ms`; downstream the request has already arrived by then.

    A connection that was open before is closed without a reset (the server arms resets when a
    connection begins); with `existing: cut` it is gone, and its successor gets the reset.
    """

    name: ClassVar[str] = "reset_peer"
    summary: ClassVar[str] = "connections are cut by a reset in the middle of a call"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    example: ClassVar[Mapping[str, object]] = {"edge": "payments->psp", "existing": "cut"}

    edge: str
    direction: Direction = "downstream"
    timeout_ms: int = 0
    existing: Existing = "keep"

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        toxic = Toxic("reset_peer", self.direction, {"timeout": self.timeout_ms})
        patience_s = self.timeout_ms / 1000 + 1.5
        return toxic_on_edges(
            scene, self.edge, toxic, patience_s, lambda seen: seen.saw in ("reset", "closed"), self.existing
        )


FAULT = ResetPeer
