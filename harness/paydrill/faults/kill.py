"""kill: SIGKILL for every process of a node; `for` later it is started again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import ProcessIdentity, Stack
from paydrill.faults import Carries, Effect, Expects, InForce, Scene, Witness
from paydrill.faults.node_fault import NodeFault, nodes_of_target, running_again, who_runs
from paydrill.topology import Node


@dataclass(frozen=True)
class Killed:
    """`before` is who ran as each node at the kill."""

    stack: Stack
    before: Mapping[Node, ProcessIdentity]

    def witness(self) -> Witness:
        gone = [node for node, was in self.before.items() if self.stack.process(node) != was]
        told = ", ".join(f"{node.name} (pid {self.before[node].pid})" for node in self.before)
        return Witness(
            "process",
            len(gone) == len(self.before),
            f"{told} no longer runs" if gone else f"{told} still runs",
            {"nodes": float(len(self.before)), "nodes_gone": float(len(gone))},
        )


@dataclass(frozen=True, kw_only=True)
class Kill(NodeFault):
    """Kills `node` (a service name: all its nodes) without warning."""

    name: ClassVar[str] = "kill"
    summary: ClassVar[str] = "a node is killed and started again"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "nothing"
    undo: ClassVar[str] = "the node is started again"
    example: ClassVar[Mapping[str, object]] = {"node": "payments-1"}

    node: str

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
        before = {node: who_runs(stack, node) for node in nodes}
        with running_again(stack, nodes):
            for node in nodes:
                stack.kill(node)
            yield Killed(stack, before)


FAULT = Kill
