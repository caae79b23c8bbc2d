"""A real Toxiproxy server in front of a real HTTP server, on loopback; and what all properties are tried with."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from paydrill.backends import Address
from paydrill.errors import EnvironmentNotReady
from paydrill.parts import toxiproxy as part
from paydrill.topology import Edge
from paydrill.toxiproxy import server
from paydrill.toxiproxy.client import Toxiproxy
from paydrill.toxiproxy.transport import ToxiproxyError

# The helpers beside this file (there are no packages under import-mode=importlib).
sys.path[:0] = [str(Path(__file__).parent)]

# A machine with other work is slow at times; that says nothing of what is tried.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


ANY_PORT = Address("127.0.0.1", 0)


@dataclass
class Bench:
    """A server whose `edge` leads from `listen` to `upstream`; over `idle` nobody goes."""

    edge: Edge
    idle: Edge
    listen: Address
    api: Address
    upstream: Address
    config: Path
    toxiproxy: Toxiproxy = field(init=False)
    process: subprocess.Popen = field(init=False)

    def start(self, *, enabled: bool = True) -> None:
        edges = {self.edge.name: (self.listen, self.upstream), self.idle.name: (ANY_PORT, self.upstream)}
        self.config.write_bytes(server.config(edges, enabled=enabled))
        self.process = subprocess.Popen(
            server.argv(str(part.find().path), self.api.host, self.api.port, str(self.config)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def start_anew(self) -> None:
        self.end()
        self.start(enabled=False)
        wait_until_answers(self.toxiproxy)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def bench(tmp_path):
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    listen, api = Address("127.0.0.1", free_port()), Address("127.0.0.1", free_port())
    there = Address("127.0.0.1", upstream.server_port)
    made = Bench(
        Edge("orders-1", "payments-1"), Edge("orders-1", "db-1"), listen, api, there, tmp_path / "edges.json"
    )
    made.toxiproxy = Toxiproxy(api, made.start_anew)
    made.start()
    try:
        wait_until_answers(made.toxiproxy)
        yield made
    finally:
        made.end()
        made.toxiproxy.close()
        upstream.shutdown()
        upstream.server_close()


def wait_until_answers(client: Toxiproxy) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            client.version()
            return
        except ToxiproxyError:
            if time.monotonic() > deadline:
                raise EnvironmentNotReady("toxiproxy did not answer in 20 s") from None
            time.sleep(0.02)
