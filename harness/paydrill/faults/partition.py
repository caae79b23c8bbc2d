"""partition: two sets of nodes do not hear each other, or one does not hear the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

from paydrill.faults import Carries, Effect, Expects, Family, Hits, InForce, Looks, Scene, WitnessKind
from paydrill.faults.edge_fault import Existing, OnEdges, toxics_on
from paydrill.topology import Edge, Topology, UnknownPlace
from paydrill.toxiproxy.toxic import Direction, Toxic

PATIENCE_S = 0.8
NOT_HEARD = ("silence", "closed")
"""A server that has answered may close its end: the proxy passes this on where it swallowed the answer."""
Way = Literal["both", "in", "out"]


@dataclass(frozen=True, kw_only=True)
class Partition:
    """Nothing that is sent between `nodes` and `from` arrives; connections stay open and silent.

    way: `both`; `in`: `nodes` do not hear `from`; `out`: `from` does not hear `nodes`. What is lost on an
    edge are its answers or its requests, whichever run that way. Unlike packets lost on a real network
    nothing is sent again: connections that were silenced are closed when it is healed.
    """

    name: ClassVar[str] = "partition"
    summary: ClassVar[str] = "two sets of nodes do not hear each other, both ways or one"
    family: ClassVar[Family] = "network"
    hits: ClassVar[Hits] = "sets of nodes"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "silence"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker", "attached")
    needs: ClassVar[tuple[str, ...]] = ()
    witnessed_by: ClassVar[WitnessKind] = "path"
    looks: ClassVar[Looks] = "at once"
    undo: ClassVar[str] = "all its toxics are taken off, which closes the connections that were silenced"
    example: ClassVar[Mapping[str, object]] = {
        "nodes": ("payments-1",),
        "from_": ("orders", "psp"),
        "way": "both",
    }

    nodes: tuple[str, ...]
    from_: tuple[str, ...]
    way: Way = "both"
    existing: Existing = "keep"

    def __post_init__(self) -> None:
        # A plan that was read from JSON has lists.
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "from_", tuple(self.from_))
        if not self.nodes or not self.from_:
            raise ValueError("nodes and from each name one node at least")

    def places(self, topology: Topology) -> tuple[str, ...]:
        return tuple(edge.name for edge in self.silenced(topology))

    def silenced(self, topology: Topology) -> dict[Edge, tuple[Direction, ...]]:
        """The edges between the two sets, and what is lost on each. Raises UnknownPlace, ValueError."""
        ours, theirs = _names(topology, self.nodes), _names(topology, self.from_)
        if both := sorted(ours & theirs):
            raise ValueError(f"{both[0]} cannot be on both sides of a partition")
        found: dict[Edge, tuple[Direction, ...]] = {}
        for edge in topology.edges:
            if edge.client in ours and edge.server in theirs:
                found[edge] = self._lost(ours_ask=True)
            elif edge.client in theirs and edge.server in ours:
                found[edge] = self._lost(ours_ask=False)
        if not found:
            raise UnknownPlace(f"{self.nodes[0]}->{self.from_[0]}", topology.edge_names())
        return found

    def _lost(self, *, ours_ask: bool) -> tuple[Direction, ...]:
        if self.way == "both":
            return ("upstream", "downstream")
        # What comes in for us are answers where we ask, and requests where the others do.
        return ("downstream",) if (self.way == "in") == ours_ask else ("upstream",)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        silenced = self.silenced(scene.stack.topology)
        toxics = [
            (edge, Toxic("timeout", direction, {"timeout": 0}, label="partition"))
            for edge, directions in silenced.items()
            for direction in directions
        ]
        with toxics_on(scene, toxics, self.existing):
            yield OnEdges(scene.stack, list(silenced), PATIENCE_S, lambda seen: seen.saw in NOT_HEARD)


def _names(topology: Topology, places: tuple[str, ...]) -> set[str]:
    return {node.name for place in places for node in topology.nodes_at(place)}


FAULT = Partition
