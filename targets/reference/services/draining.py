"""Ending without losing a request: what SIGTERM does to a process.

Its listener is closed at once, so that new connections are refused and whoever dials goes elsewhere; what has
dialled before is served. What is under way is finished. Connections that are open stay so for LINGER_S, longer
than nginx keeps an idle one (nginx.conf), and every answer says `Connection: close`: no request meets a closing
one.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_S = 2.5
FINISH_S = 5
"""The longest that a request may take which is under way at the end of LINGER_S."""

KEEP_ALIVE_S = 75
"""Longer than any client keeps an idle connection, so that no request meets a closing one."""


class Draining:
    """ASGI: tells clients of a process that is about to end not to come back on this connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["app"].state.is_draining:
            await self._app(scope, receive, send)
            return

        async def last(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, last)


class Server(uvicorn.Server):
    """uvicorn, but for what it does at its end."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.is_draining = True
        await self._stop_listening()
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + LINGER_S
        while self.server_state.connections and loop.time() < ends_at and not self.force_exit:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)

    async def _stop_listening(self) -> None:
        """Whoever has been let in by the kernel already takes its request for sent: a listener that just closes
        would reset it."""
        for server in self.servers:
            queues = [socket.socket(fileno=os.dup(listener.fileno())) for listener in server.sockets]
            server.close()
            arrived = [connection for queue in queues for connection in _taken_from(queue)]
            for connection in arrived:
                await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        # As uvicorn makes it for its own listener.
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _taken_from(listener: socket.socket) -> list[socket.socket]:
    """All connections that wait to be accepted, until there is none or no more can be had; the listener is closed."""
    taken = []
    with listener, suppress(OSError):
        listener.setblocking(False)
        while True:
            taken.append(listener.accept()[0])
    return taken


def serve(app: Starlette, host: str, port: int) -> None:
    """Until SIGTERM or SIGINT; a second one ends it at once."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=FINISH_S,
    )
    Server(config, app).run()
