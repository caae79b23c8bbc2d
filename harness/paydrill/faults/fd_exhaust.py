"""fd_exhaust: a node has no file descriptor left: who is connected stays so, nobody else gets in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Stack
from paydrill.errors import FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, Family, InForce, Scene, Witness, WitnessKind
from paydrill.faults.node_fault import NodeFault, nodes_of_target, who_runs
from paydrill.faults.visitor import Visitor
from paydrill.topology import Node

ANSWER_WITHIN_S = 1.5
KNOWN_WITHIN_S = 2.0


@dataclass(frozen=True)
class Exhausted:
    """`known` were connected and answered before the fault, one for each node."""

    stack: Stack
    nodes: Sequence[Node]
    known: Sequence[Visitor]

    def witness(self) -> Witness:
        """Somebody new gets no answer, while who was there before still does."""
        within_s = ANSWER_WITHIN_S / len(self.nodes)
        still = [one.asks(within_s) for one in self.known]
        shut = [not _is_let_in(self.stack, node, within_s) for node in self.nodes]
        proven = [old and new for old, new in zip(still, shut, strict=True)]
        told = ", ".join(node.name for node in self.nodes)
        detail = (
            f"{told}: {sum(shut)} of {len(shut)} new connections got no answer, "
            f"{sum(still)} of {len(still)} older ones did"
        )
        measured = {
            "nodes": float(len(self.nodes)),
            "nodes_shut": float(sum(shut)),
            "old_connections_answered": float(sum(still)),
        }
        return Witness("answer", all(proven), detail, measured)


@dataclass(frozen=True, kw_only=True)
class FdExhaust(NodeFault):
    """Every file descriptor that a process of the node does not use yet is out of its reach (EMFILE).

    Open connections work on; nothing new can be accepted, dialled or opened. A new client is connected by
    the kernel and waits. PostgreSQL's sessions close files that they can open again, and go on.
    """

    name: ClassVar[str] = "fd_exhaust"
    summary: ClassVar[str] = "a node has no file descriptor left"
    family: ClassVar[Family] = "resource"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    needs: ClassVar[tuple[str, ...]] = ()
    witnessed_by: ClassVar[WitnessKind] = "answer"
    undo: ClassVar[str] = "the limits of its processes are as before"
    example: ClassVar[Mapping[str, object]] = {"node": "payments-1"}

    node: str

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        nodes = nodes_of_target(stack.topology, self.node)
        with ExitStack() as heal:
            known = [heal.enter_context(Visitor.of(stack.probe(node))) for node in nodes]
            for node, visitor in zip(nodes, known, strict=True):
                who_runs(stack, node)
                if not visitor.asks(KNOWN_WITHIN_S):
                    raise FaultNotApplied(f"{node.name} did not answer before anything was done to it")
            for node in nodes:
                heal.callback(stack.limits.give_files_back, node)
                stack.limits.exhaust_files(node)
            yield Exhausted(stack, nodes, known)


def _is_let_in(stack: Stack, node: Node, within_s: float) -> bool:
    with Visitor.of(stack.probe(node)) as visitor:
        return visitor.asks(within_s)


FAULT = FdExhaust
