"""slicer: what flows through an edge arrives in small pieces, with a pause after each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Scene
from paydrill.faults.changing import Changing, whole_numbers
from paydrill.faults.edge_fault import EdgeFault, Existing
from paydrill.faults.talk import MOST_BYTES, Heard
from paydrill.faults.width import narrowed, slowed_to
from paydrill.topology import Edge
from paydrill.toxiproxy.toxic import Direction, Toxic

FELT_S = 0.16
CHANGE_EVERY_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Slicer(EdgeFault):
    """Pieces of `average_size_bytes` ± `size_variation_bytes`, `delay_us` apart.

    The size follows a schedule from the plan's seed; the server's own variation does not and stays 0.
    """

    name: ClassVar[str] = "slicer"
    summary: ClassVar[str] = "messages arrive in pieces"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    example: ClassVar[Mapping[str, object]] = {
        "edge": "orders->payments",
        "average_size_bytes": 48,
        "size_variation_bytes": 16,
        "delay_us": 2000,
    }

    edge: str
    average_size_bytes: int
    delay_us: int
    size_variation_bytes: int = 0
    direction: Direction = "downstream"
    existing: Existing = "keep"

    def __post_init__(self) -> None:
        if self.average_size_bytes < 1 or self.delay_us < 1:
            raise ValueError(
                "average_size_bytes and delay_us are at least 1: a size of 0 ends the proxy server, and "
                "without a pause TCP puts the pieces together again"
            )
        if self.size_variation_bytes >= self.average_size_bytes:
            raise ValueError(
                f"size_variation_bytes ({self.size_variation_bytes}) must be less than average_size_bytes "
                f"({self.average_size_bytes})"
            )
        if self.felt_bytes > MOST_BYTES:
            least_us = -(-int(FELT_S * 1e6) * self.largest_bytes // MOST_BYTES)
            raise ValueError(
                f"pieces of up to {self.largest_bytes} bytes every {self.delay_us} µs slow nothing down: "
                f"delay_us is at least {least_us} with that size"
            )

    @property
    def largest_bytes(self) -> int:
        return self.average_size_bytes + self.size_variation_bytes

    @property
    def felt_bytes(self) -> int:
        """So many bytes take FELT_S at least."""
        return int(FELT_S * 1e6 / self.delay_us * self.largest_bytes)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        edges = scene.stack.topology.edges_at(self.edge)
        schedules = [(edge, self.sizes(scene, edge)) for edge in edges]
        toxics = [(edge, next(schedule)) for edge, schedule in schedules]
        slowed = slowed_to(self.direction, self.delay_us / 1e6 / self.largest_bytes)

        def felt(before: Heard, now: Heard) -> bool:
            # A server that takes its time for every answer hides the slicer's, but not its pieces.
            return slowed(before, now) or (self.direction == "downstream" and self._is_cut_up(before, now))

        with narrowed(scene, toxics, self.felt_bytes, felt, self.existing) as narrow:
            if not self.size_variation_bytes:
                yield narrow
                return
            yield Changing(narrow, scene.stack.toxiproxy, schedules, CHANGE_EVERY_S)

    def _is_cut_up(self, before: Heard, now: Heard) -> bool:
        """It came in pieces hardly longer than the slicer's, and before in longer ones."""
        if not before.pieces or not now.pieces:
            return False
        was, size = before.received_bytes / before.pieces, now.received_bytes / now.pieces
        return size <= 1.5 * self.largest_bytes and was >= 2 * size

    def sizes(self, scene: Scene, edge: Edge) -> Iterator[Toxic]:
        """One toxic after the other."""
        least = self.average_size_bytes - self.size_variation_bytes
        for size in whole_numbers(scene.chance(edge.name), least, self.largest_bytes):
            attributes = {"average_size": size, "size_variation": 0, "delay": self.delay_us}
            yield Toxic("slicer", self.direction, attributes)


FAULT = Slicer
