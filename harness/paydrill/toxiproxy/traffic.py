"""How many bytes went over each edge so far, counted at its client's end.

Toxiproxy counts a connection's bytes when it closes, so a kept one would show late or never: what is
still open is asked of the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping

from paydrill.backends import Stack
from paydrill.toxiproxy.client import Bytes


def edge_bytes(stack: Stack) -> Mapping[str, Bytes]:
    """By the edge's name, every edge: `received` from its client, `sent` to it. Raises ToxiproxyError."""
    counted = stack.toxiproxy.counters()
    moved = {
        edge.name: Bytes(
            counted.get((edge.name, "upstream"), Bytes()).received,
            counted.get((edge.name, "downstream"), Bytes()).sent,
        )
        for edge in stack.topology.edges
    }
    edges = {stack.dial(edge): edge.name for edge in stack.topology.edges}
    for open_one in stack.proxy_connections():
        name = edges.get(open_one.local)
        if name is not None:
            # What a client sent is counted by Toxiproxy as soon as the client has ended its half.
            received = 0 if open_one.ended else open_one.received
            moved[name] = Bytes(moved[name].received + received, moved[name].sent + open_one.acked)
    return moved
