"""timeout: what flows in one direction of an edge is lost, and the connection stays open.

Downstream is the double-charge maker: the request arrives, only its answer does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Scene
from paydrill.faults.edge_fault import EdgeFault, Existing, toxic_on_edges
from paydrill.toxiproxy.toxic import Direction, Toxic

PATIENCE_S = 0.8


@dataclass(frozen=True, kw_only=True)
class Timeout(EdgeFault):
    """Swallows data; closes the connection after `timeout_ms` (0: not before it is healed)."""

    name: ClassVar[str] = "timeout"
    summary: ClassVar[str] = "requests arrive and their answers are lost (or the reverse)"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    undo: ClassVar[str] = "the toxic is taken off, which closes the connections that it had silenced"
    example: ClassVar[Mapping[str, object]] = {"edge": "payments->psp", "direction": "downstream"}

    edge: str
    direction: Direction = "downstream"
    timeout_ms: int = 0
    existing: Existing = "keep"

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        toxic = Toxic("timeout", self.direction, {"timeout": self.timeout_ms})
        return toxic_on_edges(
            scene,
            self.edge,
            toxic,
            PATIENCE_S,
            lambda seen: seen.saw in ("silence", "closed", "reset"),
            self.existing,
        )


FAULT = Timeout
