"""Customers over TLS: the server's certificate is checked, and one that is wrong is never sent anything."""

from __future__ import annotations

import http.server
import itertools
import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from paydrill.backends import Address
from paydrill.load.child import LoadChild
from paydrill.plan import PlannedLoad, Segment
from paydrill.target import Client, OutcomeRule, Request, Timing

ANSWER = {"order_ref": "id", "said": "status"}
CLIENT = Client(
    requests={
        "create": Request("create", "POST", "/orders", {"n": "{{ intent.client_ref }}"}, answer=ANSWER),
        "pay": Request("pay", "POST", "/pay", {"token": "{{ op.token }}"}, answer=ANSWER),
        "read": Request("read", "GET", "/orders/{{ intent.order_ref }}", answer=ANSWER),
    },
    outcomes=(OutcomeRule("2xx", "ok", executed=True), OutcomeRule("refused", "fail")),
    paid_states=("paid",),
)


class Shop(http.server.BaseHTTPRequestHandler):
    """Everything is paid at once; keeps connections."""

    protocol_version = "HTTP/1.1"
    numbers = itertools.count(1)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(201, f"o{next(self.numbers)}")

    def do_GET(self) -> None:
        self._answer(200, self.path.rpartition("/")[2])

    def _answer(self, status: int, order: str) -> None:
        body = json.dumps({"id": order, "status": "paid"}).encode()
        self.server.requests.append(self.client_address)  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class TlsServer(http.server.ThreadingHTTPServer):
    """The handshake is made in the connection's own thread; a client that refuses us is no news."""

    daemon_threads = True

    def __init__(self, authority: trustme.CA, names: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), Shop)
        self.requests: list[object] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self._context)

    def finish_request(self, request: object, client_address: object) -> None:
        with self._context.wrap_socket(request, server_side=True) as wrapped:  # type: ignore[call-overload]
            super().finish_request(wrapped, client_address)  # type: ignore[arg-type]

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@dataclass
class Served:
    """A shop behind TLS, and the folder of what customers of it leave."""

    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.ca_file = self.folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca_file))

    def load(self, server: TlsServer, ca_file: Path) -> list[dict[str, object]]:
        """A second of customers; the lines of their history."""
        with LoadChild(
            plan=PlannedLoad((Segment(0.0, 1.0, 30.0),), {"checkout": 1.0}, 20),
            client=CLIENT,
            catalogue=({"sku": "tea", "unit_price": 435, "currency": "EUR"},),
            timing=Timing(client_s=3.0),
            seed=7,
            base=Address("127.0.0.1", server.server_port),
            history_dir=self.folder,
            log=self.folder / "locust.log",
            ca_file=ca_file,
        ) as child:
            child.wait_ready(30)
            child.go(time.monotonic_ns())
            assert child.wait_done(30)
            child.final_reads(10)
        text = (self.folder / "history-0.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def serving(authority: trustme.CA, *names: str) -> Iterator[TlsServer]:
    with TlsServer(authority, list(names)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def outcomes(lines: list[dict[str, object]]) -> set[tuple[object, object]]:
    return {(line["outcome"], line["err"]) for line in lines if line["kind"] == "return"}


def test_customers_trust_the_runs_own_authority(served: Served) -> None:
    for server in serving(served.authority, "127.0.0.1"):
        lines = served.load(server, served.ca_file)
        assert outcomes(lines) == {("ok", None)}
        assert len(set(server.requests)) < len(server.requests), "connections are kept over TLS too"


@pytest.mark.parametrize("wrong", ["the authority", "the name"])
def test_a_server_with_a_wrong_certificate_is_sent_nothing(served: Served, wrong: str) -> None:
    authority = trustme.CA() if wrong == "the authority" else served.authority
    for server in serving(authority, "127.0.0.2" if wrong == "the name" else "127.0.0.1"):
        lines = served.load(server, served.ca_file)
        assert outcomes(lines) == {("fail", "refused")}
        assert server.requests == []
