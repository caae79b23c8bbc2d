"""A shop that somebody else runs, and its back office, which does by hand what the shop alone does not.

The shop is the minishop of targets/attached. Beside it somebody of the same merchant listens to what the
PSP tells, holds money to capture it later, and looks through the PSP's lists: calls of the merchant's own,
through the same edge to the PSP as the shop's.
"""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import stack_of_reference
from now_and_then import now_and_then

from paydrill.backends import Stack, StackSetup
from paydrill.target import Target
from paydrill.target_file import load_target
from paydrill.topology import PSP, Edge, Topology
from paydrill.topology_file import load_topology

LISTENS_AT = ("127.0.0.1", 8201)
EVENTS = "/events"
EVERY_S = 0.3
CALL_S = 3.0
TOKENS = itertools.count(8_000_000)


def target_and_topology() -> tuple[Target, Topology]:
    """Those of targets/attached, where the PSP tells the merchant what has happened."""
    target = load_target(stack_of_reference.TARGETS / "attached")
    topology = load_topology(target, "outside")
    assert target.attached is not None
    host, port = LISTENS_AT
    attached = replace(target.attached, webhook=f"http://{host}:{port}{EVENTS}")
    edge = Edge(PSP, f"{attached.service}-1")
    return replace(target, attached=attached), replace(topology, edges=(*topology.edges, edge))


def outside(folder: Path) -> StackSetup:
    """A setup with a fresh run folder below `folder`."""
    return stack_of_reference.setup_with(*target_and_topology(), folder)


@contextmanager
def back_office(stack: Stack) -> Iterator[None]:
    """At work until the end of the block."""

    def call() -> None:
        _hold(stack, next(TOKENS))
        _ask(stack, "GET", "/v1/payment_intents?limit=20")

    with _listening(), now_and_then("back-office-calls", EVERY_S, call):
        yield


class _Listener(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The PSP's journal tells of every event."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    """Of connections that nobody has accepted yet: a herd's events come at once, and beyond it they would wait a
    second, or three, and then be given up."""


@contextmanager
def _listening() -> Iterator[None]:
    with _Server(LISTENS_AT, _Listener) as server:
        thread = threading.Thread(target=server.serve_forever, name="back-office-listens", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _hold(stack: Stack, token: int) -> None:
    wanted = {
        "amount": "1200",
        "currency": "eur",
        "payment_method": f"pm_pd_{token}",
        "capture_method": "manual",
        "confirm": "true",
    }
    _ask(stack, "POST", "/v1/payment_intents", urlencode(wanted), f"hold-{stack.setup.run_id}-{token}")


def _ask(stack: Stack, method: str, path: str, form: str = "", key: str = "") -> None:
    (edge,) = (one for one in stack.topology.edges if one.server == PSP)
    address = stack.dial(edge)
    headers = {"Authorization": f"Bearer {stack.setup.secrets.psp_api_key}"}
    if form:
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": key}
    connection = http.client.HTTPConnection(address.host, address.port, timeout=CALL_S)
    try:
        connection.request(method, path, form or None, headers)
        connection.getresponse().read()
    finally:
        connection.close()
