"""A Toxiproxy server, driven through toxiproxy-python with our transport; every change is read back.

toxiproxy-python keeps its connection in module globals: one server a process, one thread.

Toxiproxy 2.12 locks an edge while it changes its toxics, and for a connection whose client has just left
it may wait for ever for somebody to take what a toxic keeps (link.go, RemoveToxic). Such a server is
started anew and made what it was asked to be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import toxiproxy.proxy
import toxiproxy.server

from paydrill.backends import Address
from paydrill.errors import FaultNotApplied
from paydrill.topology import Edge
from paydrill.toxiproxy.toxic import Direction, Toxic
from paydrill.toxiproxy.transport import ToxiproxyError, Transport
from paydrill.toxiproxy.wanted import Wanted

PATIENCE_S = 2.0
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

    def __add__(self, other: Bytes) -> Bytes:
        return Bytes(self.received + other.received, self.sent + other.sent)


class Toxiproxy:
    """One server. Raises ToxiproxyError when it does not answer or refuses.

    start_anew: ends the server, starts it with the same edges, all of them down, and returns when it answers.
        None where nobody can: then a server that stands still is an error.
    before_restart: told why, right before that happens: every connection through the server is about to
        be cut.
    """

    def __init__(
        self,
        address: Address,
        start_anew: Callable[[], None] | None = None,
        timeout_s: float = PATIENCE_S,
    ) -> None:
        self.before_restart: Callable[[str], None] = lambda why: None
        self._start_anew = start_anew
        self._wanted = Wanted()
        self._transport = Transport(address, timeout_s)
        toxiproxy.proxy.APIConsumer = self._transport
        toxiproxy.server.APIConsumer = self._transport
        self._server = toxiproxy.server.Toxiproxy()

    def version(self) -> str:
        return str(self._transport.get("/version").json()["version"])

    def add(self, edge: Edge, toxic: Toxic) -> None:
        """Add a toxic and read it back. Raises FaultNotApplied when the server has it differently."""
        toxic.check()
        self._wanted.put(edge, toxic)
        self._bring_about(lambda: self._add(edge, toxic))

    def change(self, edge: Edge, toxic: Toxic) -> None:
        """Give a toxic that is there other attributes, and read them back.

        The server lets go at once of what the toxic holds back at that moment. Raises FaultNotApplied for what
        cannot be changed.
        """
        toxic.check_change()
        self._wanted.put(edge, toxic)
        self._bring_about(lambda: self._change(edge, toxic))

    def remove(self, edge: Edge, toxic: Toxic) -> None:
        """Remove it and read back that it is gone; removing what is not there is no error."""
        self._wanted.take_off(edge, toxic)
        self._bring_about(lambda: self._remove(edge, toxic))

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
        self._wanted.nothing()
        self._bring_about(self._server.reset)

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

    # -- a server that stands still

    def _bring_about(self, change: Callable[[], object]) -> None:
        """Make the change; where the server stands still over it, on a new one."""
        try:
            change()
        except ToxiproxyError as problem:
            if problem.status is not None or self._start_anew is None or not self._answers():
                raise
            self.before_restart(f"{problem}, while it still tells its version")
            self.close()
            self._start_anew()
            self._be_as_wanted()

    def _answers(self) -> bool:
        try:
            self.version()
        except ToxiproxyError:
            return False
        return True

    def _be_as_wanted(self) -> None:
        """Toxics first: nothing goes over an edge until all that is wanted of it is on."""
        for edge, toxic in self._wanted.toxics():
            self._add(edge, toxic)
        for name in self._transport.get("/proxies").json():
            if not self._wanted.is_down(name):
                self._transport.post(f"/proxies/{name}", {"enabled": True})

    # -- changes, each read back

    def _add(self, edge: Edge, toxic: Toxic) -> None:
        self._proxy(edge).add_toxic(
            type=toxic.type,
            stream=toxic.direction,
            name=toxic.name,
            toxicity=toxic.toxicity,
            attributes=dict(toxic.attributes),
        )
        self._read_back(edge, toxic)

    def _change(self, edge: Edge, toxic: Toxic) -> None:
        self._transport.patch(
            f"/proxies/{edge.name}/toxics/{toxic.name}", {"attributes": dict(toxic.attributes)}
        )
        self._read_back(edge, toxic)

    def _remove(self, edge: Edge, toxic: Toxic) -> None:
        if toxic.name in self.state(edge).toxics:
            self._proxy(edge).destroy_toxic(toxic.name)
        if toxic.name in self.state(edge).toxics:
            raise FaultNotApplied(f"{edge.name}: {toxic.name} is still there after its removal")

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
        self._wanted.enable(edge, wanted=wanted)
        self._bring_about(lambda: self._enable(edge, wanted=wanted))

    def _enable(self, edge: Edge, *, wanted: bool) -> None:
        proxy = self._proxy(edge)
        (proxy.enable if wanted else proxy.disable)()
        if self.state(edge).enabled is not wanted:
            raise FaultNotApplied(f"{edge.name}: enabled={wanted} was asked for and did not come about")
