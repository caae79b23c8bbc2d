"""Ending without losing a request: what SIGTERM does to a process.

Its listener is closed at once, so that new connections are refused and whoever dials goes elsewhere. What is
under way is finished. Connections that are open stay so for LINGER_S, longer than nginx keeps an idle one
(nginx.conf), and every answer says `Connection: close`: no request meets a closing one.
"""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_S = 2.5
FINISH_S = 5.0
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


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.is_draining = True
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + LINGER_S
        while self.server_state.connections and loop.time() < ends_at and not self.force_exit:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)


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
    _Server(config, app).run()
