"""A real Toxiproxy server in front of a real HTTP server, on loopback; and what all properties are tried with."""

from __future__ import annotations

import http.server
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings

from paydrill.backends import Address
from paydrill.errors import EnvironmentNotReady
from paydrill.parts import toxiproxy as part
from paydrill.topology import Edge
from paydrill.toxiproxy import server
from paydrill.toxiproxy.client import Toxiproxy
from paydrill.toxiproxy.transport import ToxiproxyError

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


@dataclass
class Bench:
    toxiproxy: Toxiproxy
    edge: Edge
    listen: Address
    process: subprocess.Popen


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def bench(tmp_path):
    edge = Edge("orders-1", "payments-1")
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    listen, api = Address("127.0.0.1", free_port()), Address("127.0.0.1", free_port())
    config = tmp_path / "edges.json"
    config.write_bytes(server.config({edge.name: (listen, Address("127.0.0.1", upstream.server_port))}))
    program = str(part.find().path)
    process = subprocess.Popen(
        server.argv(program, api.host, api.port, str(config)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client = Toxiproxy(api)
    try:
        wait_until_answers(client)
        yield Bench(client, edge, listen, process)
    finally:
        process.kill()
        process.wait()
        client.close()
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
