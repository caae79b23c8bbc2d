"""A /24 that nothing on this machine uses: neither its routes nor the engine's networks."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

from paydrill.errors import UsageError

# Reserved for benchmarks between networks (RFC 2544), so nobody's office is in it.
FIRST_CHOICE = IPv4Network("198.18.0.0/15")
OTHERS = (IPv4Network("10.213.0.0/16"), IPv4Network("172.29.0.0/16"), IPv4Network("192.168.0.0/16"))
ROUTES = Path("/proc/net/route")


def candidates(run_id: str, used: Iterable[IPv4Network]) -> Iterator[IPv4Network]:
    """Free /24s, in an order of this run's own, so that drills that start together seldom collide.

    PAYDRILL_SUBNET, when set, is the only place that is looked at. Raises UsageError when it is no network.
    """
    taken = list(used)
    for pool in _pools():
        blocks = list(pool.subnets(new_prefix=24))
        start = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:4]) % len(blocks)
        for block in blocks[start:] + blocks[:start]:
            if not any(block.overlaps(network) for network in taken):
                yield block


def routed(table: Path = ROUTES) -> list[IPv4Network]:
    """Every network that this machine has a route to, but for the default route."""
    if not table.is_file():
        return []
    networks = []
    for line in table.read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        address, mask = _from_hex(fields[1]), _from_hex(fields[7])
        if mask != "0.0.0.0":
            networks.append(IPv4Network(f"{address}/{mask}", strict=False))
    return networks


def _pools() -> tuple[IPv4Network, ...]:
    chosen = os.environ.get("PAYDRILL_SUBNET")
    if not chosen:
        return (FIRST_CHOICE, *OTHERS)
    try:
        network = IPv4Network(chosen)
    except ValueError as problem:
        raise UsageError(
            f"PAYDRILL_SUBNET={chosen}: {problem}; expected one such as 198.18.0.0/15"
        ) from problem
    if network.prefixlen > 24:
        raise UsageError(f"PAYDRILL_SUBNET={chosen} is too small: a drill needs a /24")
    return (network,)


def _from_hex(text: str) -> str:
    """The kernel's little-endian hexadecimal as dotted numbers."""
    return socket.inet_ntoa(struct.pack("<L", int(text, 16)))
