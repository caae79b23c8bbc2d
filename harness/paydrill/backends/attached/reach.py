"""Which addresses a drill may reach: those of this machine and of private networks, or what its owner vouches for.

A drill floods, cuts and charges. Typed at a wrong address it would do so to strangers: names are
resolved once, here, and only what was checked is dialled.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from paydrill.backends import Address
from paydrill.backends.private_addresses import is_private
from paydrill.errors import UsageError
from paydrill.target import Attached, Target
from paydrill.topology import CLIENT, PSP, Topology

OPTION = "--i-own-this-target"


@dataclass(frozen=True)
class Reach:
    """The addresses of an attached stack, resolved and allowed."""

    entrance: Address
    psp: Address
    webhook: Address | None
    webhook_path: str


def reach_of(target: Target, topology: Topology, owned: str | None) -> Reach:
    """Resolve and check. `owned` is the name of the target whose user says that it is theirs.

    Raises UsageError for an address that is neither loopback nor private, for one that cannot be
    resolved, and for edges that an attached stack cannot have.
    """
    attached = target.attached
    if attached is None:
        raise UsageError(
            f"the target {target.name} is no attached one: it has no `attached:` in its target.yaml"
        )
    _check_edges(topology, attached)
    vouched = owned == target.name
    webhook, path = _split(attached.webhook) if attached.webhook else (None, "/")
    return Reach(
        entrance=_resolved("entrance", attached.entrance, target.name, vouched),
        psp=_resolved("psp", attached.psp, target.name, vouched),
        webhook=_resolved("webhook", webhook, target.name, vouched) if webhook else None,
        webhook_path=path,
    )


def _check_edges(topology: Topology, attached: Attached) -> None:
    """client -> the stack and the stack -> psp, perhaps psp -> the stack; one node of it."""
    node = f"{attached.service}-1"
    needed = {f"{CLIENT}->{node}", f"{node}->{PSP}"}
    possible = needed | ({f"{PSP}->{node}"} if attached.webhook else set())
    edges = {edge.name for edge in topology.edges}
    if wrong := sorted((needed - edges) | (edges - possible)):
        without = "" if attached.webhook else " (`attached` names no webhook)"
        raise UsageError(
            f"topology {topology.name}: an attached stack has the edges {', '.join(sorted(possible))}"
            f"{without}; not so: {', '.join(wrong)}"
        )


def _split(url: str) -> tuple[str, str]:
    """`host:port` and the rest of a URL."""
    parts = urlsplit(url)
    path = parts.path or "/"
    return f"{parts.hostname}:{parts.port or 80}", f"{path}?{parts.query}" if parts.query else path


def _resolved(what: str, written: str, name: str, vouched: bool) -> Address:
    host, _, port = written.rpartition(":")
    try:
        found = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)
    except OSError as problem:
        raise UsageError(
            f"attached.{what}: {written} cannot be resolved to an IPv4 address: {problem}"
        ) from problem
    hosts = list(dict.fromkeys(str(one[4][0]) for one in found))
    strangers = [one for one in hosts if not is_private(one)]
    if strangers and not vouched:
        raise UsageError(
            f"attached.{what}: {written} ({', '.join(strangers)}) is neither on this machine nor in a "
            f"private network: a drill would load and break it. If it is yours to break, say so: "
            f"{OPTION} {name}"
        )
    return Address(hosts[0], int(port))
