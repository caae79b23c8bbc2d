"""TLS at the load balancer: an authority made for one run, and a certificate for each nginx node.

The authority's key is never written anywhere; whoever dials the load balancer (customers, the PSP's
webhooks, health probes) checks its certificate against the authority's. Toxiproxy passes bytes through,
so a certificate names the listeners of all edges to its node besides the node's own address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydrill.topology import Node

if TYPE_CHECKING:
    from paydrill.backends import StackSetup
    from paydrill.backends.nodes import Addressing

CERT_FILE = "tls-cert.pem"
KEY_FILE = "tls-key.pem"
"""Names in the folder of an nginx node."""


@dataclass(frozen=True)
class Certificate:
    """PEM texts: the chain without the authority, and the private key."""

    chain: str
    key: str


@dataclass(frozen=True)
class Tls:
    """`ca`: the authority's certificate, PEM; `certificates`: by the name of the nginx node."""

    ca: str
    certificates: Mapping[str, Certificate]


def issue(setup: StackSetup, addressing: Addressing) -> Tls | None:
    """An authority and its certificates; None for a topology that does not ask for TLS."""
    if not setup.topology.tls:
        return None
    import trustme  # a tenth of a second, which most drills need not pay

    authority = trustme.CA()
    made: dict[str, Certificate] = {}
    for node in setup.topology.nodes:
        if setup.speaks_tls(node):
            leaf = authority.issue_cert(*_names(setup, addressing, node))
            chain = "".join(pem.bytes().decode() for pem in leaf.cert_chain_pems)
            made[node.name] = Certificate(chain, leaf.private_key_pem.bytes().decode())
    return Tls(authority.cert_pem.bytes().decode(), made)


def _names(setup: StackSetup, addressing: Addressing, node: Node) -> list[str]:
    """By which the node is called: where it listens, and where the proxies of its edges do."""
    dialled = (addressing.dial(edge).host for edge in setup.topology.edges if edge.server == node.name)
    hosts = {addressing.listen(node).host, *dialled, "127.0.0.1"}
    return [*sorted(hosts), "localhost", node.name]
