"""The packet filter that each container is started behind (pure).

A node may talk to itself and to the listeners of its own edges; Toxiproxy to the nodes that its edges
lead to. Everything else is refused at once: other nodes, Toxiproxy's API, the host, the internet. Who may
come in is checked too, so that no single mistake opens a way around a proxy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from paydrill.backends import Address

# The engine's own resolver passes questions on to the host's servers: a way out, and seconds of silence.
_NO_NAMES = ("ip daddr 127.0.0.11 counter reject",)


@dataclass(frozen=True)
class Entry:
    """Connections that are let in: from an address, to a local port."""

    source: str
    port: int


def rules(out: Iterable[Address], into: Iterable[Entry]) -> str:
    """An nft ruleset: TCP to `out`, TCP in as `into` says, all else rejected.

    The counter of the output chain is a witness: how often a bypass was tried.
    """
    allowed_out = [f"ip daddr {a.host} tcp dport {a.port} accept" for a in sorted(set(out), key=str)]
    allowed_in = [f"ip saddr {e.source} tcp dport {e.port} accept" for e in sorted(set(into), key=str)]
    return _table(
        _chain("going_out", "output", [*_NO_NAMES, 'oif "lo" accept', *allowed_out]),
        _chain("coming_in", "input", ['iif "lo" accept', *allowed_in]),
    )


def closed() -> str:
    """For a container without a network."""
    return rules((), ())


def _chain(name: str, hook: str, accepted: list[str]) -> str:
    lines = [
        f"type filter hook {hook} priority 0; policy drop;",
        *accepted,
        "ct state established,related accept",
        "meta l4proto tcp counter reject with tcp reset",
        "counter reject with icmpx type port-unreachable",
    ]
    return f" chain {name} {{\n" + "".join(f"  {line}\n" for line in lines) + " }\n"


def _table(*chains: str) -> str:
    # Made, emptied and filled in one transaction: loading it a second time replaces it.
    return (
        "table inet paydrill\ndelete table inet paydrill\ntable inet paydrill {\n" + "".join(chains) + "}\n"
    )
