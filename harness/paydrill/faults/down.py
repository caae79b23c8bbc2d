"""down: an edge refuses connections, and those that were open are cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Scene
from paydrill.faults.toxic_on_edges import OnEdges, names_of_edges
from paydrill.topology import Topology


@dataclass(frozen=True, kw_only=True)
class Down:
    """Takes the edge's proxy down. A refusal is definite: the client end knows that nothing was sent."""

    name: ClassVar[str] = "down"
    summary: ClassVar[str] = "an edge refuses connections"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker", "attached")

    edge: str

    def places(self, topology: Topology) -> tuple[str, ...]:
        return names_of_edges(topology, self.edge)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        edges = stack.topology.edges_at(self.edge)
        with ExitStack() as heal:
            for edge in edges:
                heal.callback(stack.toxiproxy.enable, edge)
                stack.toxiproxy.disable(edge)
            yield OnEdges(stack, edges, 1.0, lambda seen: seen.saw == "refusal")


FAULT = Down
