"""Whether an address is of this machine or of a private network: whose stack a drill may break."""

from __future__ import annotations

import ipaddress

PRIVATE = tuple(
    ipaddress.ip_network(block) for block in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
"""Loopback and RFC 1918. Not what else is `private` to some: link-local is where clouds keep credentials."""


def is_private(host: str) -> bool:
    """Raises ValueError for what is no IP address."""
    address = ipaddress.ip_address(host)
    return any(address in block for block in PRIVATE)
