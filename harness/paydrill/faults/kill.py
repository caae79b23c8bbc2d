"""kill: SIGKILL for every process of a node; `for` later it is started again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import ProcessIdentity, Stack
from paydrill.errors import FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, InForce, Scene, Witness
from paydrill.topology import Node, Topology


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
class Kill:
    """Kills `node` (a service name: all its nodes) without warning."""

    name: ClassVar[str] = "kill"
    summary: ClassVar[str] = "a node is killed and started again"
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
        before = {node: _running(stack, node) for node in nodes}
        try:
            for node in nodes:
                stack.kill(node)
            yield Killed(stack, before)
        finally:
            for node in nodes:
                _start_again(stack, node)


def _running(stack: Stack, node: Node) -> ProcessIdentity:
    identity = stack.process(node)
    if identity is None:
        raise FaultNotApplied(f"{node.name} cannot be killed: it does not run")
    return identity


def _start_again(stack: Stack, node: Node) -> None:
    if stack.process(node) is None:
        stack.start(node)
    if stack.process(node) is None:
        raise FaultNotApplied(f"{node.name} was started again and does not run")


FAULT = Kill
