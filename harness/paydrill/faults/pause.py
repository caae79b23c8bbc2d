"""pause: every process of a node is frozen; its connections stay open and silent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Stack
from paydrill.errors import FaultNotApplied, NotReady
from paydrill.faults import Carries, Effect, Expects, InForce, Scene, Witness, WitnessKind
from paydrill.faults.node_fault import NodeFault, nodes_of_target
from paydrill.faults.probe import probe_edges
from paydrill.topology import Node

PATIENCE_S = 0.8


@dataclass(frozen=True)
class Paused:
    stack: Stack
    nodes: Sequence[Node]

    def witness(self) -> Witness:
        names = {node.name for node in self.nodes}
        edges = [edge for edge in self.stack.topology.edges if edge.server in names]
        saw: dict[str, str] = {one.edge: one.saw for one in probe_edges(self.stack, edges, PATIENCE_S)}
        # A node that nobody calls, such as a worker, is asked itself.
        for node in self.nodes:
            if node.name not in {edge.server for edge in edges}:
                saw[node.name] = "silence" if _is_silent(self.stack, node) else "answer"
        silent = [one for one in saw.values() if one == "silence"]
        told = "; ".join(f"{place}: {one}" for place, one in saw.items())
        return Witness(
            "answer",
            len(silent) == len(saw),
            f"probes of the paused nodes saw {told}",
            {"probes": float(len(saw)), "probes_silent": float(len(silent))},
        )


def _is_silent(stack: Stack, node: Node) -> bool:
    """Whether nothing at all is answered: a refusal, or a node that says that it is ill, is an answer."""
    try:
        stack.wait_healthy([node], PATIENCE_S)
    except NotReady as problem:
        return "timed out" in problem.detail.partition("\n")[0]
    return False


@dataclass(frozen=True, kw_only=True)
class Pause(NodeFault):
    """Freezes `node` (a service name: all its nodes), as a long garbage collection or a stalled host would."""

    name: ClassVar[str] = "pause"
    summary: ClassVar[str] = "a node stops answering and later goes on as if nothing had been"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    witnessed_by: ClassVar[WitnessKind] = "answer"
    undo: ClassVar[str] = "the node goes on where it stood"
    example: ClassVar[Mapping[str, object]] = {"node": "payments-1"}

    node: str

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
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
