"""Asking nodes whether they are healthy, again every few milliseconds, within one overall time.

Each question goes directly to the node, past every proxy. Shared by both backends.
"""

from __future__ import annotations

import http.client
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from paydrill.backends import Address
from paydrill.backends.http_connection import http_connection
from paydrill.errors import NotReady
from paydrill.target import Health
from paydrill.topology import Node

PAUSE_S = 0.004
ONE_ANSWER_S = 2.0


@dataclass(frozen=True)
class Probe:
    """How one node is asked. `address` is as seen from the caller; `ca_file` None: it speaks no TLS."""

    node: Node
    address: Address
    health: Health
    database: str = "app"
    ca_file: Path | None = None


def short_pause() -> None:
    time.sleep(PAUSE_S)


def ask(probe: Probe, timeout_s: float) -> str | None:
    """None when healthy, else what was seen instead. A probe without a question asks for a connection."""
    try:
        if probe.health.http is not None:
            return _ask_http(probe.address, probe.health.http, timeout_s, probe.ca_file)
        if probe.health.postgres:
            return _ask_postgres(probe.address, probe.database, timeout_s)
        socket.create_connection((probe.address.host, probe.address.port), timeout_s).close()
    except (OSError, http.client.HTTPException) as problem:
        return str(problem) or type(problem).__name__
    return None


def wait_until_healthy(
    probes: Sequence[Probe],
    timeout_s: float,
    trouble: Callable[[Node], str | None],
    log_tail: Callable[[Node], str],
    pause: Callable[[], None] = short_pause,
) -> None:
    """Return when all are healthy.

    trouble: why a node can never become healthy (it has ended), or None; it ends the waiting at once.
    pause: called between rounds; may raise to give up. Raises NotReady, naming the node, what was seen
    last and the end of its log.
    """
    give_up = time.monotonic() + timeout_s
    waiting = list(probes)
    while waiting:
        probe = waiting[0]
        left_s = give_up - time.monotonic()
        seen = ask(probe, min(ONE_ANSWER_S, max(0.05, left_s)))
        if seen is None:
            waiting.pop(0)
            continue
        dead = trouble(probe.node)
        if dead or left_s <= 0:
            why = dead or f"not healthy within {timeout_s:g} s ({seen})"
            raise NotReady(f"{probe.node.name}: {why}; the end of its log:\n{log_tail(probe.node)}")
        pause()


def date_told(probe: Probe, timeout_s: float) -> float | None:
    """The `Date` of the node's own answer, in seconds since 1970; None where it tells none or nothing."""
    if probe.health.http is None:
        return None
    try:
        answer = _get(probe.address, probe.health.http, timeout_s, probe.ca_file)
        return parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (OSError, http.client.HTTPException, TypeError, ValueError):
        return None


def text_at(probe: Probe, path: str, timeout_s: float) -> str:
    """What the node answers there, which has to be 200. Raises OSError, HTTPException or NotReady."""
    answer = _get(probe.address, path, timeout_s, probe.ca_file)
    if answer.status != 200:
        raise NotReady(f"{probe.node.name}: GET {path} answered {answer.status}")
    return answer.read().decode("utf-8", "replace")


def _ask_http(address: Address, path: str, timeout_s: float, ca_file: Path | None) -> str | None:
    status = _get(address, path, timeout_s, ca_file).status
    return None if 200 <= status < 300 else f"GET {path} answered {status}"


def _get(address: Address, path: str, timeout_s: float, ca_file: Path | None) -> http.client.HTTPResponse:
    connection = http_connection(address, ca_file, timeout_s)
    try:
        connection.request("GET", path, headers={"Connection": "close", "Host": address.host})
        return connection.getresponse()
    finally:
        connection.close()


def startup_packet(database: str) -> bytes:
    """How a PostgreSQL client begins (protocol 3.0), as the role that is named like its database."""
    words = f"user\0{database}\0database\0{database}\0\0".encode()
    return struct.pack("!II", 8 + len(words), 196608) + words


def _ask_postgres(address: Address, database: str, timeout_s: float) -> str | None:
    """A start-up packet; `R` (authentication) says that the server takes connections."""
    with socket.create_connection((address.host, address.port), timeout_s) as sock:
        sock.sendall(startup_packet(database))
        answer = sock.recv(1)
        sock.sendall(struct.pack("!cI", b"X", 4))
    if answer == b"R":
        return None
    return "the server refuses connections" if answer == b"E" else "the connection was closed"
