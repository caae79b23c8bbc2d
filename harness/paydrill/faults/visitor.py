"""A client that stays: it connects to a node directly, and asks again on the same connection."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
from types import TracebackType

from paydrill.backends.http_connection import http_connection
from paydrill.backends.probe import Probe, startup_packet


class Visitor:
    """Connects at the first question. Close it, or use it as a context."""

    def __enter__(self) -> Visitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def asks(self, within_s: float) -> bool:
        """Whether an answer came in time. After a failure every further question fails."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    @staticmethod
    def of(probe: Probe) -> Visitor:
        return DatabaseVisitor(probe) if probe.health.postgres else HttpVisitor(probe)


class HttpVisitor(Visitor):
    def __init__(self, probe: Probe) -> None:
        self._path = probe.health.http or "/"
        self._connection = http_connection(probe.address, probe.ca_file)
        self._over = False

    def asks(self, within_s: float) -> bool:
        if self._over:
            return False
        try:
            self._connection.timeout = within_s
            if self._connection.sock is None:
                self._connection.connect()
            self._connection.sock.settimeout(within_s)
            self._connection.request("GET", self._path)
            answer = self._connection.getresponse()
            answer.read()
            # A server that closes after its answer has nobody who stays.
            self._over = answer.will_close
        except (OSError, http.client.HTTPException):
            self._over = True
            return False
        return True

    def close(self) -> None:
        self._connection.close()


class DatabaseVisitor(Visitor):
    """One session of the target's role."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._socket: socket.socket | None = None
        self._over = False

    def asks(self, within_s: float) -> bool:
        if self._over:
            return False
        try:
            if self._socket is None:
                address = self._probe.address
                self._socket = socket.create_connection((address.host, address.port), within_s)
                self._socket.settimeout(within_s)
                self._socket.sendall(startup_packet(self._probe.database))
                self._until_ready(self._socket)
            self._socket.settimeout(within_s)
            self._socket.sendall(b"Q" + struct.pack("!I", 13) + b"SELECT 1\0")
            self._until_ready(self._socket)
        except OSError:
            self._over = True
            return False
        return True

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendall(struct.pack("!cI", b"X", 4))
            self._socket.close()

    def _until_ready(self, connection: socket.socket) -> None:
        """Read whole messages up to ReadyForQuery. Raises OSError for an error or the end."""
        while (kind := _exactly(connection, 1)) != b"Z":
            if kind == b"E":
                raise ConnectionRefusedError("the database answered with an error")
            _exactly(connection, struct.unpack("!I", _exactly(connection, 4))[0] - 4)
        _exactly(connection, 5)


def _exactly(connection: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        piece = connection.recv(count - len(got))
        if not piece:
            raise ConnectionResetError("the connection was closed")
        got += piece
    return got
