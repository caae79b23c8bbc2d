"""HTTP to the target over Locust's FastHttpSession: sent once, and every error given its name.

geventhttpclient is pinned down in four places (each has a test): it must not send a GET again by
itself, must tell "never connected" from "no answer", must keep connections whose descriptor is
1024 or more, and must not follow redirects.
"""

from __future__ import annotations

import select
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import gevent
from gevent import monkey
from geventhttpclient._parser import HTTPParseError
from geventhttpclient.client import HTTPClientPool
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import HTTPConnectionClosed
from geventhttpclient.useragent import RetriesExceeded
from locust.contrib.fasthttp import FastHttpSession

from paydrill.load.answers import NEVER_SENT, RawAnswer

CONNECT_SHARE = 0.9
NODE_HEADER = "x-node"
REPLAYED_HEADER = "idempotent-replayed"
_real_poll: Callable[[], select.poll] = monkey.get_original("select", "poll")


class NeverSent(OSError):
    """No connection could be made: not a byte of the request has left."""


def connection_pool(
    base_urls: Iterable[str], concurrency: int, timeout_s: float, ca_file: str | None = None
) -> HTTPClientPool:
    """One pool for all sessions, at most `concurrency` connections to each of these.

    ca_file: whom to trust on https; chain and host are checked, and a server that fails was never sent to.
    """
    pool = HTTPClientPool(
        ssl_options={"ca_certs": ca_file} if ca_file else None,
        concurrency=concurrency,
        connection_timeout=timeout_s * CONNECT_SHARE,
        network_timeout=timeout_s + 1,
    )
    for base_url in base_urls:
        connections = pool.get_client(base_url)._connection_pool
        # It sends a GET `size + 1` times more when the connection closes without an answer.
        connections.size = -1
        _tell_never_sent(connections)
        connections._is_socket_alive = _is_silent  # type: ignore[method-assign]
    return pool


def _tell_never_sent(connections: ConnectionPool) -> None:
    connect = connections._create_socket

    def create_socket() -> Any:
        try:
            return connect()
        except (OSError, gevent.Timeout) as error:
            raise NeverSent(f"no connection: {error!r}") from error

    connections._create_socket = create_socket  # type: ignore[method-assign]


def _is_silent(sock: Any) -> bool:
    """An idle connection is alive while there is nothing to read; unlike select, for any descriptor."""
    if sock is None or sock.fileno() < 0:
        return False
    poll = _real_poll()
    poll.register(sock.fileno(), select.POLLIN)
    return not poll.poll(0)


class SessionWire:
    """One customer's session: its own cookies over the shared connections."""

    def __init__(self, base_url: str, request_event: Any, pool: HTTPClientPool) -> None:
        # Its own annotations leave out what it accepts (bytes) and what it returns (`error`).
        self._made_of = (base_url, request_event, pool)
        self._session: Any = FastHttpSession(
            base_url, request_event, user=None, client_pool=pool, max_retries=0, max_redirects=0
        )

    def begin_anew(self) -> None:
        self._session.cookiejar.clear()

    def another(self) -> SessionWire:
        return SessionWire(*self._made_of)

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
        name: str,
    ) -> RawAnswer:
        """Send once; a whole answer within `timeout_s`, or the transport's error."""
        sent = {"Accept-Encoding": "identity", **headers}
        try:
            with gevent.Timeout(timeout_s):
                # The body is read here and not by Locust, which would swallow its errors.
                response = self._session.request(
                    method,
                    path,
                    name=name,
                    data=body,
                    headers=sent,
                    stream=True,
                )
                if response.status_code == 0:
                    return RawAnswer(None, err=_name(response.error))
                node = response.headers.get(NODE_HEADER)
                body = bytes(response.content or b"")
                return RawAnswer(
                    response.status_code,
                    body,
                    node=node if isinstance(node, str) else None,
                    replayed=response.headers.get(REPLAYED_HEADER) == "true",
                )
        except (OSError, HTTPConnectionClosed, HTTPParseError, gevent.Timeout, zlib.error) as error:
            return RawAnswer(None, err=_name(error))


def _name(error: BaseException | None) -> str:
    """The history's word for an error of the transport."""
    if isinstance(error, RetriesExceeded):
        error = getattr(error, "original", None) or error.__cause__ or error.__context__ or error
    if isinstance(error, NeverSent):
        return NEVER_SENT
    if isinstance(error, gevent.Timeout | TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "reset"
    if isinstance(error, HTTPConnectionClosed):
        # A reset before the first byte is told as a closed connection, its cause is kept.
        return "reset" if isinstance(error.__context__, ConnectionResetError) else "eof"
    return "garbled"
