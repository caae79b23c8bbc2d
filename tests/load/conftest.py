"""A small real shop on 127.0.0.1 that answers as a test tells it to, and a client description of it."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import json
import pickle
import queue
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from paydrill.backends import Address
from paydrill.load.child import LoadChild
from paydrill.plan import PlannedLoad, Segment
from paydrill.target import Client, OutcomeRule, Pricing, Promotion, Request, Target, Timing

# pytest's importlib mode has no sibling imports; the model is loaded by its path.
_SPEC = importlib.util.spec_from_file_location("model_stack", Path(__file__).parent / "model_stack.py")
assert _SPEC is not None and _SPEC.loader is not None
model_stack = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(model_stack)

KEYED = {"Idempotency-Key": "{{ op.key }}", "Authorization": "Bearer {{ intent.customer }}"}
ANSWER = {
    "order_ref": "id",
    "said": "status",
    "amount": "total",
    "currency": "currency",
    "version": "version",
}
CATALOGUE = (
    {"sku": "tea", "unit_price": 435, "currency": "EUR"},
    {"sku": "cup", "unit_price": 1999, "currency": "EUR"},
    {"sku": "rice", "unit_price": 870, "currency": "JPY"},
)


@dataclass
class Seen:
    """One request as the shop received it."""

    t_ns: int
    kind: str
    key: str | None
    body: dict[str, Any]
    order: str
    from_port: int = 0


Misbehaviour = Callable[[Seen], "str | int | None"]


@dataclass
class Shop:
    """`misbehave(seen)` says what to do instead: a status, or reset, close, cut, hang, late; None: be correct.

    `stall` is a (from, to) window in monotonic ns in which no answer leaves.
    """

    misbehave: Misbehaviour = lambda seen: None
    stall: tuple[int, int] | None = None
    seen: list[Seen] = field(default_factory=list)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    replies: dict[tuple[str, str], web.Response] = field(default_factory=dict)
    port: int = 0

    def of(self, kind: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.kind == kind]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        seen = await self._see(request)
        if self.stall and self.stall[0] <= time.monotonic_ns() < self.stall[1]:
            await asyncio.sleep((self.stall[1] - time.monotonic_ns()) / 1e9)
        deed = self.misbehave(seen)
        if isinstance(deed, int) and deed != 202:
            elsewhere = {"Location": request.path} if 300 <= deed < 400 else {}
            return web.json_response({"error": {"code": f"code_{deed}"}}, status=deed, headers=elsewhere)
        if deed == "close":
            assert request.transport is not None
            request.transport.close()
        elif deed == "reset":
            assert request.transport is not None
            sock = request.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
        elif deed == "hang":
            await asyncio.sleep(3600)
        elif deed == "cut":
            return await self._cut(request)
        elif deed == "garbage":
            return web.Response(text="<html>hello</html>", content_type="application/json")
        return self._correct(seen, 202 if deed == 202 else None)

    async def _see(self, request: web.Request) -> Seen:
        text = await request.text()
        parts = request.path.strip("/").split("/")
        kind = "create" if parts == ["orders"] and request.method == "POST" else parts[-1]
        if request.method == "GET":
            kind = "find" if parts == ["orders"] else "read"
        order = request.query.get("client_ref", "") if kind == "find" else [*parts, ""][1]
        seen = Seen(
            time.monotonic_ns(),
            kind,
            request.headers.get("Idempotency-Key"),
            json.loads(text) if text else {},
            order,
            request.transport.get_extra_info("peername")[1] if request.transport else 0,
        )
        self.seen.append(seen)
        return seen

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"id": "half')
        assert request.transport is not None
        request.transport.close()
        return response

    def _correct(self, seen: Seen, status: int | None) -> web.Response:
        if seen.kind == "find":
            found = [row for row in self.orders.values() if row["client_ref"] == seen.order]
            return web.json_response({"data": found})
        if seen.kind == "create":
            known = [row for row in self.orders.values() if row["client_ref"] == seen.body["client_ref"]]
            row = known[0] if known else self._new_order(seen)
            return web.json_response(row, status=201, headers={"X-Node": "orders-1"})
        row = self.orders.get(seen.order, {})
        if not row:
            return web.json_response({"error": {"code": "not_found"}}, status=404)
        if seen.kind == "pay" and status != 202:
            row.update(status="paid", version=2)
        elif seen.kind == "refunds":
            row.update(status="refunded", version=3)
        elif seen.kind == "cancel":
            row.update(status="cancelled", version=3)
        return web.json_response(row, status=status or 200)

    def _new_order(self, seen: Seen) -> dict[str, Any]:
        row = {
            "id": f"ord_{len(self.orders) + 1}",
            "client_ref": seen.body["client_ref"],
            "status": "created",
            "total": seen.body["expected_total"],
            "currency": seen.body["currency"],
            "version": 1,
        }
        self.orders[str(row["id"])] = row
        return row


@contextmanager
def served(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Iterator[int]:
    """A running HTTP server; yields its port."""
    loop = asyncio.new_event_loop()
    ports: queue.Queue[int] = queue.Queue()

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ports.put(runner.addresses[0][1])

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield ports.get(timeout=10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A running shop; it ends with the test."""
    shop = Shop()
    with served(shop.handle) as shop.port:
        yield shop


@pytest.fixture
def stack_port() -> Iterator[int]:
    """The stack in memory behind HTTP, and its PSP's door; each write takes 30 ms."""
    stack = model_stack.ModelStack(time.monotonic_ns, gold=20)

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        answer = stack.begin(request.method, request.raw_path, request.headers, body)
        if callable(answer):
            await asyncio.sleep(0.03)
            answer = answer()
        status, document, replayed = answer
        return web.json_response(
            document, status=status, headers={"Idempotent-Replayed": "true"} if replayed else {}
        )

    with served(handle) as port:
        yield port


@pytest.fixture
def shop_client() -> Client:
    """The shop's API: every request, and the definite-or-not table."""
    order = "/orders/{{ intent.order_ref }}"
    paid = {"payment_token": "{{ op.token }}", "amount": "{{ op.amount }}", "currency": "{{ op.currency }}"}
    return Client(
        requests={
            "create": Request("create", "POST", "/orders", _create_body(), KEYED, ANSWER),
            "pay": Request("pay", "POST", f"{order}/pay", paid, KEYED, ANSWER),
            "refund": Request(
                "refund", "POST", f"{order}/refunds", {"amount": "{{ op.amount }}"}, KEYED, ANSWER
            ),
            "cancel": Request("cancel", "POST", f"{order}/cancel", {}, KEYED, ANSWER),
            "read": Request("read", "GET", order, None, {}, ANSWER),
            "find": Request(
                "find",
                "GET",
                "/orders?client_ref={{ intent.client_ref }}",
                None,
                {},
                {"order_ref": "data.0.id"},
            ),
        },
        outcomes=(
            OutcomeRule("2xx", "ok", executed=True),
            OutcomeRule("402", "fail", executed=True),
            OutcomeRule("409", "info", code="code_409"),
            OutcomeRule("404", "fail"),
            OutcomeRule("429", "fail"),
            OutcomeRule("5xx", "info"),
        ),
        paid_states=("paid", "refunded"),
        failed_states=("payment_failed",),
    )


def _create_body() -> dict[str, object]:
    return {
        "client_ref": "{{ intent.client_ref }}",
        "items": "{{ intent.items }}",
        "currency": "{{ intent.currency }}",
        "expected_total": "{{ intent.amount }}",
    }


@dataclass
class History:
    """A history file, read back."""

    rows: list[dict[str, Any]]

    def of(self, kind: str, **fields: object) -> list[dict[str, Any]]:
        matches = (row for row in self.rows if row["kind"] == kind)
        return [row for row in matches if all(row.get(name) == value for name, value in fields.items())]

    def returns(self) -> dict[int, dict[str, Any]]:
        return {row["op"]: row for row in self.of("return")}

    def assert_complete(self) -> None:
        """What docs/run-folder.md promises of every history, however it ended."""
        assert [row["seq"] for row in self.rows] == list(range(len(self.rows)))
        invoked = [row["op"] for row in self.of("invoke")]
        returned = [row["op"] for row in self.of("return")]
        assert len(set(invoked)) == len(invoked)
        assert len(set(returned)) == len(returned)
        assert set(returned) <= set(invoked)
        tokens = {row["token"] for row in self.of("token")}
        assert {row["token"] for row in self.of("invoke", op_kind="pay")} <= tokens
        intents = {row["intent"] for row in self.of("intent")}
        assert {row["intent"] for row in self.of("invoke")} <= intents
        assert all(a["t"] <= b["t"] for a, b in itertools.pairwise(self.rows))


def read_history(folder: Path) -> History:
    text = (folder / "history-0.jsonl").read_text()
    return History([json.loads(line) for line in text.splitlines()])


@dataclass
class Harness:
    """Starts loads against the shop of this test."""

    shop: Shop
    client: Client
    folder: Path
    children: list[LoadChild] = field(default_factory=list)

    def load(
        self,
        rate_per_s: float = 40,
        duration_s: float = 1.0,
        mix: dict[str, float] | None = None,
        max_in_flight: int = 200,
        client_s: float = 2.0,
        seed: int = 7,
        port: int | None = None,
    ) -> LoadChild:
        return LoadChild(**self._options(rate_per_s, duration_s, mix, max_in_flight, client_s, seed, port))

    def pickle(self, path: Path, duration_s: float) -> None:
        """Leave the arguments of a load for another process."""
        path.write_bytes(pickle.dumps(self._options(40, duration_s, None, 200, 2.0, 7, None)))

    def read(self) -> History:
        return read_history(self.folder)

    def _options(
        self,
        rate_per_s: float,
        duration_s: float,
        mix: dict[str, float] | None,
        max_in_flight: int,
        client_s: float,
        seed: int,
        port: int | None,
    ) -> dict[str, Any]:
        plan = PlannedLoad((Segment(0.0, duration_s, rate_per_s),), mix or {"checkout": 1}, max_in_flight)
        return {
            "plan": plan,
            "client": self.client,
            "catalogue": CATALOGUE,
            "timing": Timing(client_s=client_s),
            "seed": seed,
            "base": Address("127.0.0.1", port or self.shop.port),
            "history_dir": self.folder,
            "log": self.folder / "logs" / "locust.log",
            "edge": "client->lb-1",
        }

    def run(self, final_s: float | None = None, **load: Any) -> History:
        """A whole load from its start to its planned end."""
        with self.load(**load) as child:
            child.wait_ready(30)
            child.go(time.monotonic_ns() + 100_000_000)
            assert child.wait_done(40)
            if final_s is not None:
                child.final_reads(final_s)
            counters = child.counters
        history = read_history(self.folder)
        history.assert_complete()
        assert counters.crashed == 0, (self.folder / "logs" / "locust.log").read_text()
        return history


@pytest.fixture
def new_stack() -> Any:
    """Makes a stack in memory that does everything right: its clock, and how much it has of what is scarce."""
    return model_stack.ModelStack


@pytest.fixture
def stack_target() -> Target:
    """What the stack in memory says about itself: every request that a traffic class could need."""
    keyed = {"Idempotency-Key": "{{ op.key }}", "Authorization": "Bearer {{ intent.bearer }}"}
    by_operator = {**keyed, "Authorization": "Bearer {{ operator.bearer }}"}
    order = "/orders/{{ intent.order_ref }}"
    answer = {**ANSWER, "challenge": "next_action.challenge"}
    money = {
        "amount": "{{ op.amount }}",
        "currency": "{{ op.currency }}",
        "refund_ref": "{{ op.refund_ref }}",
    }
    create = {
        **_create_body(),
        "promo_code": "{{ intent.promo_code }}",
        "note": "{{ intent.note }}",
        "email": "{{ intent.email }}",
        "shipping": {"name": "{{ intent.shipping_name }}"},
    }
    paid = {"payment_token": "{{ op.token }}", "amount": "{{ op.amount }}", "currency": "{{ op.currency }}"}
    door = "/challenge/{{ intent.challenge }}"
    requests = (
        Request("create", "POST", "/orders", create, keyed, answer),
        Request("pay", "POST", f"{order}/pay", paid, keyed, answer),
        Request("refund", "POST", f"{order}/refunds", money, keyed, answer),
        Request("operator_refund", "POST", f"{order}/refunds", money, by_operator, answer),
        Request("cancel", "POST", f"{order}/cancel", {}, keyed, answer),
        Request("challenge", "POST", door, {"outcome": "{{ op.reason }}"}, {}, {}, at="psp"),
        Request("read", "GET", order, None, keyed, answer),
        Request("find", "GET", "/orders?client_ref={{ intent.client_ref }}", None, keyed, answer),
    )
    client = Client(
        requests={request.kind: request for request in requests},
        outcomes=(
            OutcomeRule("2xx", "ok", executed=True),
            OutcomeRule("402", "fail", executed=True),
            OutcomeRule("409", "fail", code="insufficient_stock", executed=True),
            OutcomeRule("409", "info", code="idempotency_in_progress"),
            OutcomeRule("4xx", "fail"),
        ),
        paid_states=("paid", "refunded"),
        failed_states=("payment_failed", "cancelled"),
        retry_codes=("idempotency_in_progress",),
    )
    promotions = (Promotion("ALL15", 15), Promotion("CUPS7", 7, ("cup",)), Promotion("THIRD", 33))
    return Target(
        name="model",
        title="A stack in memory",
        folder=Path("/nowhere"),
        default_topology="one",
        services={},
        client=client,
        timing=Timing(),
        catalogue=model_stack.PRODUCTS,
        pricing=Pricing(promotions),
    )


@pytest.fixture
def harness(shop: Shop, shop_client: Client, tmp_path: Path) -> Harness:
    return Harness(shop, shop_client, tmp_path)
