"""A client that leaves while a toxic still keeps what it asked for: Toxiproxy may stand still over it."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

from paydrill.backends import Address

PIECES = 12
BETWEEN_S = 0.03


def ask_often_and_leave(address: Address, path: str) -> None:
    """Asks one thing after the other, reads nothing, and resets the connection."""
    with contextlib.closing(socket.create_connection((address.host, address.port), timeout=10)) as client:
        for _ in range(PIECES):
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            # Apart from each other: what comes as one piece is kept as one.
            time.sleep(BETWEEN_S)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
