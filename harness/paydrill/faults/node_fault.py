"""What the faults of a node share: whom they hit, and looking at who runs as it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import ClassVar

from paydrill.backends import ProcessIdentity, Stack
from paydrill.errors import FaultNotApplied, NotReady
from paydrill.faults import Family, Hits, Looks, WitnessKind
from paydrill.topology import INSTRUMENTS, Node, Topology


class NodeFault:
    """Declared by every fault whose place is a node; a service name means all its nodes.

    The instruments (the PSP, the clients) are no nodes of the target: what breaks them proves nothing.
    """

    family: ClassVar[Family] = "process"
    hits: ClassVar[Hits] = "node"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker")
    needs: ClassVar[tuple[str, ...]] = ()
    witnessed_by: ClassVar[WitnessKind] = "process"
    looks: ClassVar[Looks] = "at once"

    node: str

    def places(self, topology: Topology) -> tuple[str, ...]:
        return tuple(node.name for node in nodes_of_target(topology, self.node))


def nodes_of_target(topology: Topology, place: str) -> tuple[Node, ...]:
    """The nodes that `place` means. Raises UnknownPlace, and ValueError for an instrument."""
    nodes = topology.nodes_at(place)
    if any(node.service in INSTRUMENTS for node in nodes):
        raise ValueError(
            f"{place!r} is an instrument of the harness and no node of the target; "
            f"an edge to it can be broken, such as {_an_edge_at(topology, place)!r}"
        )
    return nodes


def _an_edge_at(topology: Topology, place: str) -> str:
    return next((name for name in topology.edge_names() if place in name.split("->")), f"…->{place}")


def require_runtime(stack: Stack, node: Node, fault: str, runtimes: Sequence[str]) -> str:
    """The node's runtime. Raises FaultNotApplied when it is none of these."""
    runtime = stack.setup.target.services[node.service].runtime
    if runtime not in runtimes:
        raise FaultNotApplied(f"{node.name} is a {runtime} node; {fault} is for {' and '.join(runtimes)}")
    return runtime


def who_runs(stack: Stack, node: Node) -> ProcessIdentity:
    """Raises FaultNotApplied when nobody does: what is not there cannot be broken."""
    identity = stack.process(node)
    if identity is None:
        raise FaultNotApplied(f"{node.name} does not run, so that nothing can be done to it")
    return identity


@contextmanager
def running_again(stack: Stack, nodes: Sequence[Node]) -> Iterator[None]:
    """At exit every node runs, each tried whatever became of the others."""
    with ExitStack() as heal:
        for node in reversed(nodes):
            heal.callback(have_running, stack, node)
        yield


def have_running(stack: Stack, node: Node) -> None:
    """Start the node unless it runs. Raises FaultNotApplied when it does not run then."""
    if stack.process(node) is None:
        stack.start(node)
    if stack.process(node) is None:
        raise FaultNotApplied(f"{node.name} was started again and does not run")


def is_healthy(stack: Stack, node: Node) -> bool:
    """One quick question."""
    try:
        stack.wait_healthy([node], 0.0)
    except NotReady:
        return False
    return True
