"""pause: every process of a node is frozen; its connections stay open and silent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Stack
from paydrill.errors import FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, InForce, Scene, Witness
from paydrill.faults.probe import probe_edges
from paydrill.topology import Node, Topology

PATIENCE_S = 0.8


@dataclass(frozen=True)
class Paused:
    stack: Stack
    nodes: Sequence[Node]

    def witness(self) -> Witness:
        names = {node.name for node in self.nodes}
        edges = [edge for edge in self.stack.topology.edges if edge.server in names]
        seen = probe_edges(self.stack, edges, PATIENCE_S)
        silent = [one for one in seen if one.saw == "silence"]
        told = "; ".join(f"{one.edge}: {one.saw}" for one in seen)
        return Witness(
            "answer",
            bool(seen) and len(silent) == len(seen),
            f"probes of the paused nodes saw {told}",
            {"probes": float(len(seen)), "probes_silent": float(len(silent))},
        )


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Freezes `node` (a service name: all its nodes), as a long garbage collection or a stalled host would."""

    name: ClassVar[str] = "pause"
    summary: ClassVar[str] = "a node stops answering and later goes on as if nothing had been"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker")

    node: str

    def places(self, topology: Topology) -> tuple[str, ...]:
        return tuple(node.name for node in topology.nodes_at(self.node))

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = stack.topology.nodes_at(self.node)
        with ExitStack() as heal:
            for node in nodes:
                heal.callback(_resume, stack, node)
                stack.pause(node)
            if running := [node.name for node in nodes if not stack.is_paused(node)]:
                raise FaultNotApplied(f"paused, but still running: {', '.join(running)}")
            yield Paused(stack, nodes)


def _resume(stack: Stack, node: Node) -> None:
    stack.resume(node)
    if stack.is_paused(node):
        raise FaultNotApplied(f"{node.name} was resumed and is still paused")


FAULT = Pause
