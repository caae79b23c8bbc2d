"""Where the harness's own parts and the proxies of an attached drill are (pure).

The harness's own listen on a loopback network drawn by chance; of the edges only `<stack> -> psp` has
an address that somebody else chose.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from paydrill.backends import Address, StackSetup
from paydrill.backends.attached.reach import Reach
from paydrill.topology import PSP, Edge, Node

PSP_PORT = 12111
TOXIPROXY_PORT = 8474
CONTROL_SOCKET = "control.sock"


@dataclass(frozen=True)
class Places:
    setup: StackSetup
    reach: Reach
    network: int

    @staticmethod
    def draw(setup: StackSetup, reach: Reach) -> Places:
        return Places(setup, reach, random.SystemRandom().randrange(8, 250, 2))

    def psp(self) -> Address:
        """The simulator itself."""
        return Address(f"127.{self.network}.0.1", PSP_PORT)

    def toxiproxy(self) -> Address:
        return Address(f"127.{self.network}.255.1", TOXIPROXY_PORT)

    def dial(self, edge: Edge) -> Address:
        """The listener of the edge's proxy."""
        if edge.server == PSP:
            return self.reach.psp
        number = self.setup.topology.edges.index(edge) + 1
        return Address(f"127.{self.network + 1}.0.{number}", self.upstream(edge).port)

    def upstream(self, edge: Edge) -> Address:
        """What the edge's proxy forwards to."""
        if edge.server == PSP:
            return self.psp()
        if edge.client == PSP and self.reach.webhook is not None:
            return self.reach.webhook
        return self.reach.entrance

    def listen(self, node: Node) -> Address:
        """Where a node itself is asked for its health."""
        return self.psp() if node.name == PSP else self.reach.entrance

    def webhook_url(self) -> str | None:
        """Where the simulator sends its events: to their own proxy."""
        for edge in self.setup.topology.edges:
            if edge.client == PSP:
                return f"http://{self.dial(edge)}{self.reach.webhook_path}"
        return None

    @property
    def psp_folder(self) -> Path:
        return self.setup.run_dir / "psp"

    @property
    def control(self) -> Path:
        return self.psp_folder / CONTROL_SOCKET

    def log(self, name: str) -> Path:
        return self.setup.run_dir / "logs" / f"{name}.log"
