"""One arrangement of nodes and edges of a target (frozen, pure).

A *node* is one process or container, `<service>-<n>`; the ends that the harness owns, `client`, `psp`
and `psp2`, have no number. An *edge* is a directed link `orders-1->payments-2`; each one goes
through its own Toxiproxy proxy.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

CLIENT = "client"
PSP = "psp"
PSPS = (PSP, "psp2")
"""The payment service providers: the first is always there, the second where an edge names it."""
INSTRUMENTS = (CLIENT, *PSPS)


@dataclass(frozen=True, order=True)
class Node:
    """`index` counts from 1 within its service; 0 for the harness's own ends."""

    name: str
    service: str
    index: int


@dataclass(frozen=True, order=True)
class Edge:
    """A directed link between two nodes, by node name."""

    client: str
    server: str

    @property
    def name(self) -> str:
        return f"{self.client}->{self.server}"


class UnknownPlace(ValueError):
    """A node or edge name that the topology does not have."""

    def __init__(self, place: str, known: list[str]) -> None:
        self.place = place
        close = difflib.get_close_matches(place, known, n=1)
        self.suggestion = close[0] if close else None
        super().__init__(f"{place!r} is not in the topology")


@dataclass(frozen=True)
class Topology:
    """Nodes and edges, in a fixed order. `settings` are the topology's own values for templates."""

    name: str
    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    declared_rpo_s: float = 0.0

    @property
    def tls(self) -> bool:
        """Whether the load balancer is spoken to over TLS."""
        return self.settings.get("tls") is True

    @property
    def psps(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.name in PSPS)

    def node(self, name: str) -> Node:
        """The node of that name. Raises UnknownPlace."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise UnknownPlace(name, [node.name for node in self.nodes])

    def service(self, name: str) -> tuple[Node, ...]:
        """All nodes of a service, by index; empty where there is none."""
        return tuple(node for node in self.nodes if node.service == name)

    def nodes_at(self, place: str) -> tuple[Node, ...]:
        """The nodes that `place` (a node or a service) means. Raises UnknownPlace."""
        found = tuple(node for node in self.nodes if place in (node.name, node.service))
        if not found:
            raise UnknownPlace(place, sorted({n.name for n in self.nodes} | {n.service for n in self.nodes}))
        return found

    def edges_at(self, place: str) -> tuple[Edge, ...]:
        """The edges that `place` means, for example `payments->psp`; either side may be a service.

        Raises UnknownPlace, with the nearest edge between services or nodes as its suggestion.
        """
        client, arrow, server = (part.strip() for part in place.partition("->"))
        found = tuple(
            edge
            for edge in self.edges
            if arrow and client in self._names(edge.client) and server in self._names(edge.server)
        )
        if not found:
            raise UnknownPlace(place, self.edge_names())
        return found

    def entrance(self) -> Edge:
        """Where customers come in: their first edge that does not lead to a PSP. Raises UnknownPlace."""
        for edge in self.edges:
            if edge.client == CLIENT and edge.server not in PSPS:
                return edge
        raise UnknownPlace(f"{CLIENT} -> a service of the target", self.edge_names())

    def edge_names(self) -> list[str]:
        """Every way to name an edge: node to node and service to service, sorted."""
        names = {edge.name for edge in self.edges}
        names |= {f"{self.node(e.client).service}->{self.node(e.server).service}" for e in self.edges}
        return sorted(names)

    def _names(self, node: str) -> tuple[str, str]:
        return node, self.node(node).service
