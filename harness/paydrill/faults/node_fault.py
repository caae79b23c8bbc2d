"""What the faults of a node share: whom they hit, and looking at who runs as it."""

from __future__ import annotations

from typing import ClassVar

from paydrill.backends import ProcessIdentity, Stack
from paydrill.errors import FaultNotApplied, NotReady
from paydrill.faults import Family, Hits, Looks, WitnessKind
from paydrill.topology import INSTRUMENTS, Node, Topology, UnknownPlace


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
    """The nodes that `place` means. Raises UnknownPlace, also for an instrument."""
    nodes = topology.nodes_at(place)
    if any(node.service in INSTRUMENTS for node in nodes):
        ours = {word for node in topology.nodes for word in (node.name, node.service)} - set(INSTRUMENTS)
        raise UnknownPlace(place, sorted(ours))
    return nodes


def who_runs(stack: Stack, node: Node) -> ProcessIdentity:
    """Raises FaultNotApplied when nobody does: what is not there cannot be broken."""
    identity = stack.process(node)
    if identity is None:
        raise FaultNotApplied(f"{node.name} does not run, so that nothing can be done to it")
    return identity


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
