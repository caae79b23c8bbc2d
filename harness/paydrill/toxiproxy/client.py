"""A Toxiproxy server, driven through toxiproxy-python with our transport; every change is read back.

toxiproxy-python keeps its connection in module globals: one server a process, one thread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import toxiproxy.proxy
import toxiproxy.server

from paydrill.backends import Address
from paydrill.errors import FaultNotApplied
from paydrill.topology import Edge
from paydrill.toxiproxy.toxic import Direction, Toxic
from paydrill.toxiproxy.transport import Transport

_COUNTER = re.compile(r"toxiproxy_proxy_(received|sent)_bytes_total\{([^}]*)\} ([0-9.e+]+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class EdgeState:
    """What the server says of one edge."""

    enabled: bool
    toxics: tuple[str, ...]


@dataclass(frozen=True)
class Bytes:
    """Bytes of one edge in one direction since the server began: `received` from one end, `sent` to the other."""

    received: int = 0
    sent: int = 0


class Toxiproxy:
    """One server. Raises ToxiproxyError when it does not answer or refuses."""

    def __init__(self, address: Address, timeout_s: float = 3.0) -> None:
        self._transport = Transport(address, timeout_s)
        toxiproxy.proxy.APIConsumer = self._transport
        toxiproxy.server.APIConsumer = self._transport
        self._server = toxiproxy.server.Toxiproxy()

    def version(self) -> str:
        return str(self._transport.get("/version").json()["version"])

    def add(self, edge: Edge, toxic: Toxic) -> None:
        """Add a toxic and read it back. Raises FaultNotApplied when the server has it differently."""
        toxic.check()
        self._proxy(edge).add_toxic(
            type=toxic.type,
            stream=toxic.direction,
            name=toxic.name,
            toxicity=toxic.toxicity,
            attributes=dict(toxic.attributes),
        )
        self._read_back(edge, toxic)

    def change(self, edge: Edge, toxic: Toxic) -> None:
        """Give a toxic that is there other attributes, and read them back.

        The server lets go at once of what the toxic holds back at that moment. Raises FaultNotApplied for a
        rate: the server would end while it cuts a packet by the old one.
        """
        toxic.check()
        if toxic.type == "bandwidth":
            raise FaultNotApplied(
                f"{edge.name}: the rate of {toxic.name} cannot be changed; remove it, add another"
            )
        self._transport.patch(
            f"/proxies/{edge.name}/toxics/{toxic.name}", {"attributes": dict(toxic.attributes)}
        )
        self._read_back(edge, toxic)

    def remove(self, edge: Edge, toxic: Toxic) -> None:
        """Remove it and read back that it is gone; removing what is not there is no error."""
        if toxic.name in self.state(edge).toxics:
            self._proxy(edge).destroy_toxic(toxic.name)
        if toxic.name in self.state(edge).toxics:
            raise FaultNotApplied(f"{edge.name}: {toxic.name} is still there after its removal")

    def disable(self, edge: Edge) -> None:
        """Close the listener and every connection of the edge; new ones are refused."""
        self._set_enabled(edge, wanted=False)

    def enable(self, edge: Edge) -> None:
        self._set_enabled(edge, wanted=True)

    def cut(self, edge: Edge) -> None:
        """Close every connection that is open now; for a few milliseconds new ones are refused.

        An edge that is down has none, and stays down.
        """
        if self.state(edge).enabled:
            self.disable(edge)
            self.enable(edge)

    def state(self, edge: Edge) -> EdgeState:
        has = self._transport.get(f"/proxies/{edge.name}").json()
        return EdgeState(bool(has["enabled"]), tuple(toxic["name"] for toxic in has["toxics"]))

    def reset(self) -> None:
        """Enable every edge and remove every toxic."""
        self._server.reset()

    def leftovers(self) -> list[str]:
        """What differs from a clean server, a phrase each; empty after a good heal."""
        found = []
        for name, proxy in sorted(self._transport.get("/proxies").json().items()):
            if not proxy["enabled"]:
                found.append(f"{name} is down")
            found += [f"{name} has {toxic['name']}" for toxic in proxy["toxics"]]
        return found

    def counters(self) -> Mapping[tuple[str, Direction], Bytes]:
        """Bytes so far by edge name and direction; an edge without traffic yet is absent."""
        sums: dict[tuple[str, Direction], dict[str, int]] = {}
        for word, labels, value in _COUNTER.findall(self._transport.get("/metrics").content.decode()):
            label = dict(_LABEL.findall(labels))
            direction: Direction = "upstream" if label["direction"] == "upstream" else "downstream"
            sums.setdefault((label["proxy"], direction), {})[word] = int(float(value))
        return {key: Bytes(has.get("received", 0), has.get("sent", 0)) for key, has in sums.items()}

    def close(self) -> None:
        self._transport.close()

    def _proxy(self, edge: Edge) -> Any:
        return toxiproxy.proxy.Proxy(**self._transport.get(f"/proxies/{edge.name}").json())

    def _toxic(self, edge: Edge, name: str) -> Any:
        return self._transport.get(f"/proxies/{edge.name}/toxics/{name}").json()

    def _read_back(self, edge: Edge, toxic: Toxic) -> None:
        has = self._toxic(edge, toxic.name)
        wrong = {
            k: has["attributes"].get(k) for k, v in toxic.attributes.items() if has["attributes"].get(k) != v
        }
        if wrong or has["stream"] != toxic.direction or has["toxicity"] != toxic.toxicity:
            raise FaultNotApplied(f"{edge.name}: asked for {toxic}, the server has {has}")

    def _set_enabled(self, edge: Edge, *, wanted: bool) -> None:
        proxy = self._proxy(edge)
        (proxy.enable if wanted else proxy.disable)()
        if self.state(edge).enabled is not wanted:
            raise FaultNotApplied(f"{edge.name}: enabled={wanted} was asked for and did not come about")
