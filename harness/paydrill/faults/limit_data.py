"""limit_data: a connection is closed when so many bytes have passed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Scene
from paydrill.faults.edge_fault import EdgeFault, Existing
from paydrill.faults.talk import MOST_BYTES, Heard
from paydrill.faults.width import narrowed
from paydrill.toxiproxy.toxic import Direction, Toxic


@dataclass(frozen=True, kw_only=True)
class LimitData(EdgeFault):
    """After `limit_bytes` in `direction` the connection ends, in the middle of a message if need be.

    On a connection that is open already the count begins with the fault.
    """

    name: ClassVar[str] = "limit_data"
    summary: ClassVar[str] = "a connection breaks off after some bytes, in the middle of an answer"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    example: ClassVar[Mapping[str, object]] = {"edge": "payments->psp", "limit_bytes": 2000}

    edge: str
    limit_bytes: int
    direction: Direction = "downstream"
    existing: Existing = "keep"

    def __post_init__(self) -> None:
        if self.limit_bytes > MOST_BYTES // 2:
            raise ValueError(
                f"limit_bytes is at most {MOST_BYTES // 2}, not {self.limit_bytes}: more could not be witnessed"
            )

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        toxic = Toxic("limit_data", self.direction, {"bytes": self.limit_bytes})
        toxics = [(edge, toxic) for edge in scene.stack.topology.edges_at(self.edge)]
        return narrowed(scene, toxics, 2 * self.limit_bytes, self._broke_off, self.existing)

    def _broke_off(self, before: Heard, now: Heard) -> bool:
        if before.ended != "closed" or now.ended not in ("closed", "reset"):
            return False
        within = now.received_bytes <= self.limit_bytes or self.direction == "upstream"
        return within and now.received_bytes < before.received_bytes


FAULT = LimitData
