"""bandwidth: an edge lets only so many bytes a second pass."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Scene
from paydrill.faults.edge_fault import EdgeFault, Existing
from paydrill.faults.talk import MOST_BYTES
from paydrill.faults.width import narrowed, slowed_to
from paydrill.toxiproxy.toxic import Direction, Toxic

FELT_S = 0.16
MOST_KB_S = int(MOST_BYTES / 1000 / FELT_S)


@dataclass(frozen=True, kw_only=True)
class Bandwidth(EdgeFault):
    """Each connection passes `rate_kb_s` thousand bytes a second in `direction`."""

    name: ClassVar[str] = "bandwidth"
    summary: ClassVar[str] = "an edge is narrow: long messages take their time"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    example: ClassVar[Mapping[str, object]] = {"edge": "payments->db", "rate_kb_s": 16}

    edge: str
    rate_kb_s: int
    direction: Direction = "downstream"
    existing: Existing = "keep"

    def __post_init__(self) -> None:
        if not 1 <= self.rate_kb_s <= MOST_KB_S:
            raise ValueError(
                f"rate_kb_s is 1 to {MOST_KB_S}, not {self.rate_kb_s}: 0 hangs the proxy, and with more "
                "the short messages of a payment feel nothing"
            )

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        toxic = Toxic("bandwidth", self.direction, {"rate": self.rate_kb_s})
        toxics = [(edge, toxic) for edge in scene.stack.topology.edges_at(self.edge)]
        felt = slowed_to(self.direction, 1 / (1000 * self.rate_kb_s))
        return narrowed(scene, toxics, int(self.rate_kb_s * 1000 * FELT_S), felt, self.existing)


FAULT = Bandwidth
