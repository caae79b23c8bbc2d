"""One question asked through an edge, to see what a client of that edge would see.

A probe dials the edge's proxy like the client end does and asks the server end for its health.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from paydrill.backends.probe import startup_packet
from paydrill.topology import PSPS, Edge

if TYPE_CHECKING:
    from paydrill.backends import Address, Stack

Saw = Literal["answer", "silence", "refusal", "reset", "closed"]


@dataclass(frozen=True)
class Seen:
    """`elapsed_s` until the first byte of an answer, or until the probe knew better.

    `sent_bytes` is the probe's own traffic, so that nobody takes it for the target's.
    """

    edge: str
    saw: Saw
    elapsed_s: float
    sent_bytes: int


def probe_edges(stack: Stack, edges: Sequence[Edge], patience_s: float) -> tuple[Seen, ...]:
    """All edges at once; an edge that says nothing for `patience_s` is seen as silence."""
    if not edges:
        return ()
    with ThreadPoolExecutor(max_workers=min(16, len(edges))) as pool:
        asked = [
            pool.submit(_probe, edge, stack.dial(edge), _question(stack, edge), patience_s) for edge in edges
        ]
        return tuple(one.result() for one in asked)


def health_of(stack: Stack, edge: Edge) -> tuple[str, str | None]:
    """How the server end of an edge is asked for its health: a path, or (not None) its database."""
    service = stack.topology.node(edge.server).service
    if service in PSPS:
        return "/healthz", None
    served = stack.setup.target.services[service]
    return served.health.http or "/", served.database if served.health.postgres else None


def _question(stack: Stack, edge: Edge) -> bytes:
    path, database = health_of(stack, edge)
    return _get(path) if database is None else startup_packet(database)


def _get(path: str) -> bytes:
    """In plain HTTP also where TLS is spoken: the refusal (400) is an answer too."""
    return f"GET {path} HTTP/1.0\r\nHost: probe\r\nConnection: close\r\n\r\n".encode()


def _probe(edge: Edge, address: Address, question: bytes, patience_s: float) -> Seen:
    began = time.monotonic()
    saw: Saw
    try:
        with socket.create_connection((address.host, address.port), timeout=patience_s) as connection:
            connection.sendall(question)
            saw = "answer" if connection.recv(1) else "closed"
    except TimeoutError:
        saw = "silence"
    except ConnectionRefusedError:
        saw = "refusal"
    except ConnectionError:
        saw = "reset"
    return Seen(edge.name, saw, time.monotonic() - began, 0 if saw == "refusal" else len(question))
