"""The reference stack for real, on loopback: PostgreSQL, nginx, the services and the PSP simulator."""

from __future__ import annotations

import csv
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import jinja2
import pytest

from paydrill.callers import bearer
from paydrill.parts import nginx, postgres
from paydrill.psp.control import PspControl

SOURCE = Path(__file__).parents[2] / "targets" / "reference"
HOST = "127.0.0.1"
# Tests of pure parts import `services` as the processes do.
sys.path.insert(0, str(SOURCE))
API_KEY, WEBHOOK_SECRET, CALLER_SECRET = "sk_test_reference", "whsec_reference", "callers_of_reference"
SUPPORT = "support_1"
NOBODY = 65534

Value = TypeVar("Value")


def await_that(look: Callable[[], Value], what: str, within_s: float = 15.0) -> Value:
    """The first true value of `look`."""
    deadline = time.monotonic() + within_s
    while not (value := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.03)
    return value


def free_port() -> int:
    """Below the range from which the kernel takes ports for connections, so that none takes it meanwhile."""
    while True:
        port = random.randint(12_000, 32_000)
        with socket.socket() as sock, suppress(OSError):
            sock.bind((HOST, port))
            return port


@dataclass(frozen=True)
class Reply:
    status: int
    text: str
    headers: http.client.HTTPMessage

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.text)  # type: ignore[no-any-return]

    @property
    def code(self) -> str | None:
        return self.body.get("error", {}).get("code")


def as_caller(name: str) -> str:
    """The header of a customer, or of SUPPORT."""
    return "Bearer " + bearer(CALLER_SECRET, "admin" if name == SUPPORT else "customer", name)


def send(
    port: int, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> Reply:
    """One request on a connection of its own. Raises OSError or HTTPException when no answer came."""
    connection = http.client.HTTPConnection(HOST, port, timeout=12)
    try:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        return Reply(response.status, response.read().decode(), response.headers)
    finally:
        connection.close()


@dataclass
class Postgres:
    """One server for all tests; every stack has a database of its own."""

    folder: Path
    tools: Path
    port: int
    made: int = 0

    def run(self, tool: str, *args: str) -> str:
        done = subprocess.run(
            [self.tools / tool, *args], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sql(self, database: str, query: str) -> list[list[str]]:
        args = (
            "-h",
            HOST,
            "-p",
            str(self.port),
            "-U",
            "postgres",
            "-d",
            database,
            "-Atq",
            "-F\t",
            "-c",
            query,
        )
        return [line.split("\t") for line in self.run("psql", *args).splitlines()]

    def new_database(self, schema: Path) -> str:
        self.made += 1
        name = f"app{self.made}"
        to = ("-h", HOST, "-p", str(self.port), "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-q")
        self.run("psql", *to, "-d", "postgres", "-c", f"CREATE DATABASE {name}")
        files = [part for path in sorted(schema.glob("*.sql")) for part in ("-f", str(path))]
        self.run("psql", *to, "-d", name, *files)
        return name


@pytest.fixture(scope="session")
def pg() -> Iterator[Postgres]:
    """Runs as nobody where the tests run as root, which PostgreSQL refuses."""
    tools = postgres.find().path
    user = NOBODY if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="reference-pg-"))
    as_user = {"user": user, "group": user, "extra_groups": []} if user else {}
    try:
        if user:
            os.chown(folder, user, user)
        env = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(folder)}
        subprocess.run(
            [tools / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust", "-N"],
            env=env, check=True, capture_output=True, cwd=folder, **as_user,
        )  # fmt: skip
        server = Postgres(folder, tools, free_port())
        process = subprocess.Popen(
            [tools / "postgres", "-D", folder / "data", "-p", str(server.port), "-c", f"listen_addresses={HOST}",
             "-c", "unix_socket_directories=", "-c", "max_connections=200"],
            env=env, cwd=folder, stderr=(folder / "log").open("wb"), **as_user,
        )  # fmt: skip
        try:
            await_that(lambda: _accepts(server), "PostgreSQL is ready")
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait()
    finally:
        shutil.rmtree(folder)


def _accepts(server: Postgres) -> bool:
    with suppress(AssertionError):
        return bool(server.sql("postgres", "SELECT 1"))
    return False


@dataclass
class Node:
    """One process, that can be killed and started again at the same place."""

    name: str
    argv: list[str]
    env: dict[str, str]
    port: int
    health: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, env=self.env, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def is_healthy(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (
            f"{self.name} has ended: {self.log()}"
        )
        with suppress(OSError, http.client.HTTPException):
            return send(self.port, "GET", self.health).status == 200
        return False

    def is_connected_to(self, port: int) -> bool:
        """Whether the process has a TCP connection to that port of loopback."""
        assert self.process is not None
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        inodes = {f"socket:[{row[9]}]" for row in rows if int(row[2].partition(":")[2], 16) == port}
        return any(os.readlink(fd) in inodes for fd in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def log(self) -> str:
        return (self.folder / f"{self.name}.log").read_text()[-3000:]


@dataclass
class Stack:
    """A running stack, with a customer's view of it and the PSP's own truth."""

    folder: Path
    source: Path
    database: str
    pg: Postgres
    lb_port: int
    psp_port: int
    nodes: dict[str, Node]
    psp: PspControl
    tokens: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    def create(
        self,
        ref: str,
        items: list[dict[str, object]] | None = None,
        customer: str = "ann",
        total: int | None = None,
    ) -> str:
        """One green tea (435) by default; `total` where the items are others."""
        cart = _cart(ref, items) if total is None else {**_cart(ref, items), "expected_total": total}
        reply = self.post("/v1/orders", cart, f"{ref}-create", customer)
        assert reply.status == 201, reply
        return str(reply.body["id"])

    def pay(
        self,
        order: str,
        token: object,
        key: str,
        amount: int = 435,
        customer: str = "ann",
        port: int | None = None,
    ) -> Reply:
        """Through the load balancer, or at a node's own `port`."""
        body = {"payment_token": f"pm_pd_{token}", "amount": amount, "currency": "USD"}
        return self.post(f"/v1/orders/{order}/pay", body, key, customer, port)

    def pay_later(self, order: str, token: object, key: str, amount: int = 435) -> Reply:
        """Authorise only."""
        body = {"payment_token": f"pm_pd_{token}", "amount": amount, "currency": "USD", "capture": "later"}
        return self.post(f"/v1/orders/{order}/pay", body, key)

    def pay_surely(self, order: str, token: object, key: str) -> Reply:
        """The same request until it is definite, as a patient client sends it."""

        def definite() -> Reply | None:
            with suppress(OSError, http.client.HTTPException):
                reply = self.pay(order, token, key)
                return reply if reply.status in (200, 202, 402) else None
            return None

        return await_that(definite, "a definite answer to a payment")

    def refund(self, order: str, amount: int, key: str) -> Reply:
        return self.post(f"/v1/orders/{order}/refunds", {"amount": amount}, key)

    def cancel(self, order: str, key: str) -> Reply:
        return self.post(f"/v1/orders/{order}/cancel", {}, key)

    def post(
        self, path: str, body: object, key: str | None, customer: str = "ann", port: int | None = None
    ) -> Reply:
        headers = {"Authorization": as_caller(customer), "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return send(port or self.lb_port, "POST", path, body, headers)

    def get(self, path: str, customer: str = "ann") -> Reply:
        return send(self.lb_port, "GET", path, headers={"Authorization": as_caller(customer)})

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, port: int | None = None
    ) -> Reply:
        """Anything else, as the customer ann unless `headers` say otherwise; at the load balancer by default."""
        return send(
            port or self.lb_port,
            method,
            path,
            headers={"Authorization": as_caller("ann")} if headers is None else headers,
        )

    def admin(self, path: str, body: object | None = None, key: str | None = None) -> Reply:
        """As an operator: a POST with a key of its own where there is a body, else a GET."""
        if body is None:
            return self.get(path, SUPPORT)
        return self.post(path, body, key or f"admin-{next(self.tokens)}", SUPPORT)

    def state(self, order: str) -> str:
        return str(self.get(f"/v1/orders/{order}").body["status"])

    def await_state(self, order: str, *states: str) -> str:
        return await_that(lambda: (s := self.state(order)) in states and s, f"{order} is one of {states}")

    def effects(self, token: int, kind: str, psp: str = "psp") -> list[int]:
        """Amounts of all effects of that kind that a PSP has written down for a token."""
        lines = (self.folder / f"{psp}.jsonl").read_text().splitlines()
        found = [json.loads(line.partition(" ")[2]) for line in lines]
        return [
            effect["amount"]
            for line in found
            if line["kind"] == "effect"
            for effect in line["effects"]
            if effect["token"] == token and effect["kind"] == kind and effect["status"] == "done"
        ]

    def charge_at_psp(
        self, token: object, amount: int, metadata: dict[str, str], psp: str = "psp", **more: str
    ) -> str:
        """A charge that the target knows nothing of; its id."""
        extra = "".join(f"&metadata[{key}]={value}" for key, value in metadata.items())
        extra += "".join(f"&{key}={value}" for key, value in more.items())
        form = f"amount={amount}&currency=usd&payment_method=pm_pd_{token}&confirm=true{extra}".encode()
        headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/x-www-form-urlencoded"}
        headers["Idempotency-Key"] = f"stray-{token}"
        reply = send(self.nodes[psp].port, "POST", "/v1/payment_intents", form, headers)
        assert reply.status == 200, reply
        return str(reply.body["id"])

    def at_psp(self, intent: str) -> dict[str, Any]:
        """The PSP's own record of a payment."""
        path, headers = f"/v1/payment_intents/{intent}", {"Authorization": f"Bearer {API_KEY}"}
        return send(self.psp_port, "GET", path, headers=headers).body

    def await_at_psp(self, intent: str, status: str) -> None:
        await_that(lambda: self.at_psp(intent)["status"] == status, f"{intent} is {status}")

    def refund_at_psp(self, intent: str, token: object) -> Reply:
        """What somebody does at the PSP's desk."""
        headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/x-www-form-urlencoded"}
        headers["Idempotency-Key"] = f"desk-{token}"
        return send(self.psp_port, "POST", "/v1/refunds", f"payment_intent={intent}".encode(), headers)

    def restart_psp(self) -> None:
        """After a kill: at the same place, with all that it had written down, and a new control connection."""
        self.nodes["psp"].start()
        await_that(self.nodes["psp"].is_healthy, "the PSP is back")
        self.psp.close()
        self.psp.connect()

    def settlement_file(self) -> list[dict[str, str]]:
        """The lines of the PSP's file of today."""
        path = f"/v1/settlements/{datetime.now(UTC).date().isoformat()}.csv"
        text = send(self.psp_port, "GET", path, headers={"Authorization": f"Bearer {API_KEY}"}).text
        return list(csv.DictReader(text.splitlines()))

    def post_to_payments(self, path: str, body: object, key: str) -> Reply:
        """As an orders node does."""
        node = self.nodes["payments-1"]
        return send(node.port, "POST", path, body, {"Idempotency-Key": key})

    def do_challenge(self, intent: str, outcome: str = "approve") -> Reply:
        """What the customer's browser does."""
        headers = {"Content-Type": "application/json"}
        return send(self.psp_port, "POST", f"/challenge/{intent}", {"outcome": outcome}, headers)

    def sql(self, query: str) -> list[list[str]]:
        return self.pg.sql(self.database, query)

    def facts(self, name: str) -> list[dict[str, Any]]:
        """A fact file read as the harness reads it."""
        query = (self.source / "facts" / f"{name}.sql").read_text()
        return [json.loads(row[0]) for row in self.sql(f"SELECT row_to_json(q) FROM ({query}\n) q")]

    def await_sql(self, query: str, value: str) -> None:
        """Until the query says that."""
        await_that(lambda: self.sql(query) == [[value]], f"{query} is {value}")

    def settle(self) -> None:
        await_that(lambda: self.facts("open_work")[0]["open"] == 0, "nothing is open")


def _cart(ref: str, items: list[dict[str, object]] | None) -> dict[str, object]:
    """One green tea (435) by default."""
    total = 435 * sum(int(str(item["qty"])) for item in items) if items else 435
    lines = items or [{"sku": "tea-green", "qty": 1}]
    return {"client_ref": ref, "items": lines, "currency": "USD", "expected_total": total}


@contextmanager
def running(
    pg: Postgres,
    source: Path = SOURCE,
    payments: int = 2,
    env: Mapping[str, str] | None = None,
    two_psps: bool = False,
) -> Iterator[Stack]:
    """A healthy stack over a new database; everything is gone afterwards. `env`: more of it for all services."""
    with ExitStack() as cleanup:
        folder = Path(tempfile.mkdtemp(prefix="reference-stack-"))
        cleanup.callback(shutil.rmtree, folder)
        database = pg.new_database(source / "sql")
        database_url = f"postgresql://postgres@{HOST}:{pg.port}/{database}"
        nodes = _nodes(folder, source, database_url, payments, env or {}, two_psps)
        for node in nodes.values():
            cleanup.callback(node.stop)
            node.start()
        for node in nodes.values():
            await_that(node.is_healthy, f"{node.name} is healthy")
        psp = cleanup.enter_context(PspControl(folder / "psp.sock"))
        yield Stack(folder, source, database, pg, nodes["lb"].port, nodes["psp"].port, nodes, psp)


def _nodes(
    folder: Path,
    source: Path,
    database_url: str,
    payments: int,
    more_env: Mapping[str, str],
    two_psps: bool,
) -> dict[str, Node]:
    names = ["orders-1", "orders-2", *(f"payments-{i + 1}" for i in range(payments)), "worker", "fulfilment"]
    psps = ("psp", "psp2") if two_psps else ("psp",)
    port = {name: free_port() for name in ["lb", *psps, *names]}
    urls = [f"http://{HOST}:{port[name]}" for name in names if name.startswith("payments")]
    webhooks = f"http://{HOST}:{port['lb']}/v1/webhooks/psp"
    nodes = {name: _psp(folder, name, port[name], webhooks) for name in psps}
    nodes["lb"] = _lb(folder, source, port)
    for name in names:
        env = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "PYTHONPATH": str(source),
            "NODE_NAME": name,
            "LISTEN_HOST": HOST,
            "LISTEN_PORT": str(port[name]),
            "DATA_DIR": str(folder),
            "DATABASE_URL": database_url,
            "PAYMENTS_URLS": ",".join(urls),
            "PSP_URL": f"http://{HOST}:{port['psp']}",
            "PSP2_URL": f"http://{HOST}:{port['psp2']}" if two_psps else "",
            "PSP_API_KEY": API_KEY,
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
            "CALLER_SECRET": CALLER_SECRET,
            "FULFILMENT_URL": f"http://{HOST}:{port['fulfilment']}",
            **more_env,
        }
        argv = [sys.executable, "-m", f"services.{name.split('-')[0]}"]
        nodes[name] = Node(name, argv, env, port[name], "/readyz", folder)
    return nodes


def _psp(folder: Path, name: str, port: int, webhook_url: str) -> Node:
    argv = [
        sys.executable,
        "-m",
        "paydrill.psp",
        "--port",
        str(port),
        "--journal",
        str(folder / f"{name}.jsonl"),
    ]
    argv += [
        "--control",
        str(folder / f"{name}.sock"),
        "--webhook-url",
        webhook_url,
        "--seed",
        name[3:] or "1",
    ]
    argv += ["--webhook-secret", WEBHOOK_SECRET, "--api-key", API_KEY]
    return Node(name, argv, {"PATH": os.defpath, "HOME": str(folder)}, port, "/healthz", folder)


def _lb(folder: Path, source: Path, port: dict[str, int]) -> Node:
    def places(service: str) -> list[str]:
        return [f"{HOST}:{number}" for name, number in port.items() if name.startswith(service)]

    jinja = jinja2.Environment(undefined=jinja2.StrictUndefined)
    text = jinja.from_string((source / "nginx.conf").read_text()).render(
        dir=SimpleNamespace(data=folder),
        edges=SimpleNamespace(orders=places("orders"), payments=places("payments")),
        timing=SimpleNamespace(lb_read_s=5.0),
        tls=SimpleNamespace(on=False),
        listen=SimpleNamespace(host=HOST, port=port["lb"]),
    )
    (folder / "nginx.conf").write_text(text)
    argv = [str(nginx.find().path), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    return Node("lb", argv, {"PATH": os.defpath}, port["lb"], "/livez", folder)


@pytest.fixture(scope="session")
def stack(pg: Postgres) -> Iterator[Stack]:
    """The unchanged stack, shared: each test uses its own orders."""
    with running(pg) as started:
        yield started


@pytest.fixture
def token(stack: Stack) -> int:
    return next(stack.tokens)


@pytest.fixture
def start_stack(pg: Postgres) -> Callable[..., Any]:
    """Starts a stack of one's own: `with start_stack(source, payments=1, env={}) as stack`."""
    return lambda source=SOURCE, payments=1, env=None, two_psps=False: running(
        pg, source, payments, env, two_psps
    )


@pytest.fixture(scope="module")
def start_stack_for_module(pg: Postgres) -> Callable[..., Any]:
    """The same for a fixture of a whole file."""
    return lambda source=SOURCE, payments=1, env=None, two_psps=False: running(
        pg, source, payments, env, two_psps
    )


@pytest.fixture(name="await_that")
def _await_that() -> Callable[..., Any]:
    return await_that


@pytest.fixture(name="running", scope="session")
def _running() -> Callable[..., Any]:
    """For fixtures that keep a stack of their own for several tests."""
    return running


@pytest.fixture(name="as_caller", scope="session")
def _as_caller() -> Callable[[str], str]:
    return as_caller
