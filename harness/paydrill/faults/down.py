"""down: an edge refuses connections, and those that were open are cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Carries, Effect, Expects, InForce, Scene
from paydrill.faults.edge_fault import EdgeFault, OnEdges


@dataclass(frozen=True, kw_only=True)
class Down(EdgeFault):
    """Takes the edge's proxy down. A refusal is definite: the client end knows that nothing was sent."""

    name: ClassVar[str] = "down"
    summary: ClassVar[str] = "an edge refuses connections"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    undo: ClassVar[str] = "the edge's proxy listens again"
    example: ClassVar[Mapping[str, object]] = {"edge": "orders->payments"}

    edge: str

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
