"""slow_close: the end of a connection reaches the other side late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Stack
from paydrill.faults import Carries, Effect, Expects, InForce, Scene, Witness
from paydrill.faults.edge_fault import EdgeFault, Existing, toxics_on
from paydrill.faults.talk import Heard, Words, a_question, talk
from paydrill.toxiproxy.toxic import Direction, Toxic

MARGIN_S = 0.6
SEEN_S = 1.2


@dataclass(frozen=True)
class ClosingSlowly:
    """Each conversation is over when `direction` says so; a long delay is watched for SEEN_S only."""

    stack: Stack
    words: Sequence[Words]
    direction: Direction
    delay_s: float

    def witness(self) -> Witness:
        watched_s = min(self.delay_s, SEEN_S)
        heard = talk(self.stack, self.words, watched_s + MARGIN_S)
        proven = [one for one in heard if self._open_s(one) >= 0.95 * watched_s]
        told = "; ".join(f"{one.edge}: open for {self._open_s(one) * 1000:.0f} ms" for one in heard)
        measured = {
            "edges": float(len(heard)),
            "edges_witnessed": float(len(proven)),
            "probe_bytes_per_edge": float(max(one.bytes for one in heard)),
        }
        return Witness(
            "path",
            len(proven) == len(heard),
            f"finished conversations through the proxies stayed {told}",
            measured,
        )

    def _open_s(self, one: Heard) -> float:
        """Downstream from the server's last word, upstream from ours, which we say at once."""
        if not one.sent_bytes or (self.direction == "downstream" and not one.received_bytes):
            return 0.0
        return one.ended_s - (one.last_s if self.direction == "downstream" else 0.0)


@dataclass(frozen=True, kw_only=True)
class SlowClose(EdgeFault):
    """Holds back only the end of a connection, for `delay_ms`: both sides keep it that much longer."""

    name: ClassVar[str] = "slow_close"
    summary: ClassVar[str] = "connections stay open after their end"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    example: ClassVar[Mapping[str, object]] = {"edge": "lb->orders", "delay_ms": 1000}

    edge: str
    delay_ms: int
    direction: Direction = "downstream"
    existing: Existing = "keep"

    def __post_init__(self) -> None:
        if self.delay_ms < 1:
            raise ValueError("delay_ms is at least 1: a close that is not late is no fault")

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack, downstream = scene.stack, self.direction == "downstream"
        edges = stack.topology.edges_at(self.edge)
        words = [
            Words(edge, a_question(stack, edge, closing=downstream), hang_up=not downstream) for edge in edges
        ]
        toxic = Toxic("slow_close", self.direction, {"delay": self.delay_ms})
        with toxics_on(scene, [(edge, toxic) for edge in edges], self.existing):
            yield ClosingSlowly(stack, words, self.direction, self.delay_ms / 1000)


FAULT = SlowClose
