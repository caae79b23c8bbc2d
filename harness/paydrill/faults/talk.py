"""A longer conversation through an edge: enough bytes one way to feel how wide it is, and how it ends.

Questions are the health probe's, one after the other on one connection (HTTP pipelining), or queries of
the database. The last one asks for the end of the connection. Where the server end speaks TLS the talk is
in TLS, for it hangs up on whoever speaks plain; the bytes told are those of the talk, not of its records.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from paydrill.backends.probe import startup_packet
from paydrill.faults.probe import health_of
from paydrill.topology import Edge
from paydrill.toxiproxy.toxic import Direction

if TYPE_CHECKING:
    from paydrill.backends import Address, Stack

Ended = Literal["closed", "reset", "silence", "refusal"]

TLS_HANDSHAKE_BYTES = 5_000
TLS_RECORDS = 1.3
"""What TLS takes at most for its handshake and certificates, and for the records of short answers."""
MOST_BYTES = 32_000
"""What a witness may send or ask for on one edge: about two hundred answers of a health probe."""
PAD = 2_000
ANSWER_BYTES = 150
"""How long an answer is taken to be where it could not be asked before."""


@dataclass(frozen=True)
class Heard:
    """Seconds count from the dial: `last_s` to the last byte that came, `ended_s` to the end.

    pieces: in how many what was received came in
    tls: it was said in TLS
    """

    edge: str
    ended: Ended
    sent_bytes: int
    received_bytes: int
    last_s: float
    ended_s: float
    pieces: int = 0
    tls: bool = False

    @property
    def bytes(self) -> int:
        """Said and heard, as the proxies count it at most."""
        said = self.sent_bytes + self.received_bytes
        return int(said * TLS_RECORDS) + TLS_HANDSHAKE_BYTES if self.tls else said


@dataclass(frozen=True)
class Words:
    """What is said through one edge. `hang_up`: our half of the connection is closed after it."""

    edge: Edge
    text: bytes
    hang_up: bool = False


def talk(stack: Stack, words: Sequence[Words], patience_s: float) -> tuple[Heard, ...]:
    """All edges at once; whoever has not ended after `patience_s` is heard as silence."""
    with ThreadPoolExecutor(max_workers=min(16, len(words))) as pool:
        heard = [
            pool.submit(_talk, one, stack.dial(one.edge), _ca_file(stack, one.edge), patience_s)
            for one in words
        ]
        return tuple(one.result() for one in heard)


def a_question(stack: Stack, edge: Edge, *, closing: bool = True) -> bytes:
    """One short question; `closing` asks the server end to close after its answer."""
    path, database = health_of(stack, edge)
    if database is not None:
        return startup_packet(database) + (_message(b"X", b"") if closing else b"")
    return _get(path, closing=closing)


def many_questions(
    stack: Stack, edge: Edge, direction: Direction, least_bytes: int, answer_bytes: int
) -> bytes:
    """Questions that move at least so many bytes in that direction, given how long one answer is."""
    path, database = health_of(stack, edge)
    if database is not None:
        query = f"SELECT repeat('x', {least_bytes})"
        if direction == "upstream":
            query = f"SELECT 1 /* {'x' * least_bytes} */"
        asked = _message(b"Q", query.encode() + b"\0")
        return startup_packet(database) + asked + _message(b"X", b"")
    if direction == "upstream":
        return _get(path, pad=PAD) * (least_bytes // PAD) + _get(path, pad=PAD, closing=True)
    return _get(path) * (least_bytes // max(1, answer_bytes)) + _get(path, closing=True)


def answer_bytes(stack: Stack, edges: Sequence[Edge], patience_s: float) -> dict[Edge, int]:
    """How long the answer to one question is on each edge, asked now."""
    heard = talk(stack, [Words(edge, a_question(stack, edge)) for edge in edges], patience_s)
    return {edge: one.received_bytes or ANSWER_BYTES for edge, one in zip(edges, heard, strict=True)}


def _get(path: str, *, pad: int = 0, closing: bool = False) -> bytes:
    padding = f"X-Pad: {'x' * pad}\r\n" if pad else ""
    end = "Connection: close\r\n" if closing else ""
    return f"GET {path} HTTP/1.1\r\nHost: probe\r\n{padding}{end}\r\n".encode()


def _message(kind: bytes, body: bytes) -> bytes:
    """One message of PostgreSQL's protocol."""
    return kind + struct.pack("!I", 4 + len(body)) + body


def _ca_file(stack: Stack, edge: Edge) -> Path | None:
    return stack.setup.ca_of(stack.topology.node(edge.server))


def _talk(words: Words, address: Address, ca_file: Path | None, patience_s: float) -> Heard:
    began_s = time.monotonic()
    talking = _Talking(words, began_s, began_s + patience_s)
    ended: Ended
    try:
        dialled = socket.create_connection((address.host, address.port), timeout=patience_s)
        with dialled, _secured(dialled, address, ca_file) as connection:
            ended = talking.on(connection)
    except TimeoutError:
        ended = "silence"
    except ConnectionRefusedError:
        ended = "refusal"
    except ssl.SSLError:
        ended = "closed"  # in the middle of a record, or of the handshake
    except ConnectionError:
        ended = "reset"
    ended_s = time.monotonic() - began_s
    return Heard(
        words.edge.name,
        ended,
        talking.sent,
        talking.received,
        talking.last_s,
        ended_s,
        talking.pieces,
        tls=ca_file is not None,
    )


def _secured(connection: socket.socket, address: Address, ca_file: Path | None) -> socket.socket:
    """Raises SSLError, and TimeoutError when the handshake takes longer than the connection's own time-out."""
    if ca_file is None:
        return connection
    trusted = ssl.create_default_context(cafile=ca_file)
    return trusted.wrap_socket(connection, server_hostname=address.host)


class _Talking:
    """Sends and listens at the same time: an answer may come before all has been said."""

    def __init__(self, words: Words, began_s: float, give_up_s: float) -> None:
        self._left = memoryview(words.text)
        self._hang_up = words.hang_up
        self._began_s = began_s
        self._give_up_s = give_up_s
        self._over = False
        self.sent = 0
        self.received = 0
        self.pieces = 0
        self.last_s = 0.0

    def on(self, connection: socket.socket) -> Ended:
        connection.setblocking(False)
        while (left_s := self._give_up_s - time.monotonic()) > 0:
            sending = [connection] if self._left else []
            readable, writable, _ = select.select([connection], sending, [], left_s)
            if writable:
                self._send(connection)
            if readable and not self._listen(connection):
                return "closed"
        return "silence"

    def _send(self, connection: socket.socket) -> None:
        try:
            count = connection.send(self._left)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        self._left = self._left[count:]
        self.sent += count
        if not self._left and self._hang_up:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)

    def _listen(self, connection: socket.socket) -> bool:
        """False at the end. Takes all that TLS has ready: `select` does not know of it."""
        while not self._over:
            try:
                data = connection.recv(65536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            if not data:
                self._over = True
                break
            self.received += len(data)
            self.pieces += 1
            self.last_s = time.monotonic() - self._began_s
            if not (isinstance(connection, ssl.SSLSocket) and connection.pending()):
                return True
        return isinstance(connection, ssl.SSLSocket) and _is_open(connection)


def _is_open(connection: ssl.SSLSocket) -> bool:
    """Whether the connection goes on after TLS has said its good-bye on it."""
    try:
        return bool(socket.socket.recv(connection, 65536))
    except BlockingIOError:
        return True
