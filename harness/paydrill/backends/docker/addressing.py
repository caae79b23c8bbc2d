"""Where everything of a run is: addresses in its /24, ports of its edges, folders inside its containers (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from paydrill.backends import Address
from paydrill.errors import UsageError
from paydrill.target import Target
from paydrill.topology import CLIENT, PSPS, Edge, Node, Topology

DATA = "/var/lib/paydrill"
SOURCE = "/srv/target"
OTHER_SOURCES = "/srv/others"
PSP_FOLDER = "/var/lib/psp"
TOXIPROXY_API_PORT = 8474
PSP_PORT = 12111

_GATEWAY, _TOXIPROXY, _FIRST_NODE = 1, 2, 10
_FIRST_EDGE_PORT = 20000


@dataclass(frozen=True)
class Addresses:
    """An `Addressing` (nodes.py). The host is the gateway; the client dials from there."""

    network: IPv4Network
    topology: Topology
    target: Target

    def listen(self, node: Node) -> Address:
        if node.name == CLIENT:
            return Address(self.gateway, 0)
        position = self.topology.nodes.index(node)
        if _FIRST_NODE + position >= self.network.num_addresses - 1:
            raise UsageError(f"{self.topology.name}: more than {self.network.num_addresses - 12} nodes")
        return Address(str(self.network[_FIRST_NODE + position]), self._port(node))

    def dial(self, edge: Edge) -> Address:
        """One port an edge: one address could not tell two clients apart."""
        return Address(self.toxiproxy, _FIRST_EDGE_PORT + self.topology.edges.index(edge))

    def data_dir(self, node: Node) -> str:
        return PSP_FOLDER if node.name in PSPS else DATA

    def source_dir(self) -> str:
        return SOURCE

    def other_source_dir(self, number: int) -> str:
        return f"{OTHER_SOURCES}/{number}"

    @property
    def gateway(self) -> str:
        return str(self.network[_GATEWAY])

    @property
    def toxiproxy(self) -> str:
        return str(self.network[_TOXIPROXY])

    @property
    def toxiproxy_api(self) -> Address:
        return Address(self.toxiproxy, TOXIPROXY_API_PORT)

    def edges(self) -> dict[str, tuple[Address, Address]]:
        """Edge name -> (listener, where it leads): Toxiproxy's file of edges."""
        return {
            edge.name: (self.dial(edge), self.listen(self.topology.node(edge.server)))
            for edge in self.topology.edges
        }

    def _port(self, node: Node) -> int:
        service = self.target.services.get(node.service)
        if service is not None:
            return service.port
        return PSP_PORT if node.name in PSPS else 0
