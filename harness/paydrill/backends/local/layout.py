"""Where everything of a local drill is: addresses, users, folders (pure).

With namespaces all of it is fixed, so that two drills need not know of each other. Without them the
loopback network of a drill is drawn by chance. Node *i* (from 1, in the topology's order) listens on
127.P.0.i; the edge from node c to node s on 127.Q.c.s, where Q = P + 1.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paydrill.backends import Address, StackSetup
from paydrill.topology import PSPS, Edge, Node

INSIDE = Path("/tmp/paydrill")
FIRST_UID = 60000
TOXIPROXY_UID = FIRST_UID
TOXIPROXY_PORT = 8474
PSP_PORT = 12111
MOST_NODES = 200


@dataclass(frozen=True)
class Layout:
    """An `Addressing`, and the users and folders besides.

    work: the folder of the nodes' folders; source: the target's source; psps: the folder of the PSPs' own
    folders; sources: the setup's other sources. All as seen by the nodes. `own_users` gives each node a user
    id of its own.
    """

    setup: StackSetup
    network: int
    work: Path
    source: Path
    psps: Path
    own_users: bool
    sources: Mapping[str, Path] = field(default_factory=dict)

    def listen(self, node: Node) -> Address:
        service = self.setup.target.services.get(node.service)
        port = service.port if service else PSP_PORT if node.name in PSPS else 0
        return Address(f"127.{self.network}.0.{self.index(node)}", port)

    def dial(self, edge: Edge) -> Address:
        topology = self.setup.topology
        client, server = topology.node(edge.client), topology.node(edge.server)
        host = f"127.{self.network + 1}.{self.index(client)}.{self.index(server)}"
        return Address(host, self.listen(server).port)

    def data_dir(self, node: Node) -> str:
        return str(self.work / node.name)

    def psp_folder(self, node: Node) -> Path:
        return self.psps / node.name

    def source_dir(self) -> str:
        return str(self.source)

    def other_source_dir(self, name: str) -> str:
        """That of one of the setup's other sources."""
        return str(self.sources[name])

    def toxiproxy(self) -> Address:
        return Address(f"127.{self.network}.255.1", TOXIPROXY_PORT)

    def uid(self, node: Node) -> int | None:
        """The node's user, None for the harness's own."""
        return FIRST_UID + self.index(node) if self.own_users else None

    def index(self, node: Node) -> int:
        return self.setup.topology.nodes.index(node) + 1

    def log(self, name: str) -> Path:
        return self.setup.run_dir / "logs" / f"{name}.log"

    def networks_of(self, node: Node) -> tuple[str, ...]:
        """What the node's user may dial: its own edges' listeners, and itself."""
        return (f"127.{self.network + 1}.{self.index(node)}.0/24", f"127.{self.network}.0.{self.index(node)}")

    def networks_of_toxiproxy(self) -> tuple[str, ...]:
        return (f"127.{self.network}.0.0/24",)


def inside_namespaces(setup: StackSetup, *, own_users: bool) -> Layout:
    sources = {name: INSIDE / "sources" / str(number) for number, name in enumerate(setup.sources)}
    return Layout(setup, 1, INSIDE / "nodes", INSIDE / "source", INSIDE, own_users, sources)


def on_the_host(setup: StackSetup, work: Path) -> Layout:
    """Without namespaces: a loopback network by chance; the harness's own user for all."""
    network = random.SystemRandom().randrange(8, 250, 2)
    return Layout(setup, network, work, setup.source, setup.run_dir, own_users=False, sources=setup.sources)
