"""How well the load keeps its schedule: rate held, lag, and p99 under a 1 s stall beside the truth.

Prints one JSON document and asserts nothing: `python tests/benchmarks/bench_load.py [--rate 500]`.
The server is a bare asyncio protocol in a process of its own, so that the load is what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import socket
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from paydrill.backends import Address
from paydrill.load.child import LoadChild
from paydrill.plan import PlannedLoad, Segment
from paydrill.target import Client, OutcomeRule, Request, Timing

BODY = b'{"id":"o1","status":"paid","total":1,"currency":"EUR","version":1}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)
CATALOGUE = ({"sku": "tea", "unit_price": 435, "currency": "EUR"},)
FACTS = {"order_ref": "id", "said": "status", "amount": "total", "currency": "currency"}


class Bare(asyncio.Protocol):
    """Answers every request with the same order; only the end of a request is looked for."""

    stall: tuple[int, int] = (0, 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while (request := self._take()) is not None:
            del request
            wait_s = (self.stall[1] - time.monotonic_ns()) / 1e9
            if time.monotonic_ns() >= self.stall[0] and wait_s > 0:
                asyncio.get_running_loop().call_later(wait_s, self.transport.write, ANSWER)
            else:
                self.transport.write(ANSWER)

    def _take(self) -> bytes | None:
        head, found, rest = self.rest.partition(b"\r\n\r\n")
        if not found:
            return None
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        if len(rest) < length:
            return None
        self.rest = rest[length:]
        return head


def serve(sock: socket.socket, orders: Connection) -> None:
    """The server's process; `orders` tells when to stall."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(orders.fileno(), lambda: setattr(Bare, "stall", orders.recv()))
        server = await loop.create_server(Bare, sock=sock)
        await server.serve_forever()

    asyncio.run(main())


def client() -> Client:
    order = "/v1/orders/{{ intent.order_ref }}"
    keyed = {"Idempotency-Key": "{{ op.key }}", "Authorization": "Bearer {{ intent.customer }}"}
    create = {
        "client_ref": "{{ intent.client_ref }}",
        "items": "{{ intent.items }}",
        "currency": "{{ intent.currency }}",
        "expected_total": "{{ intent.amount }}",
    }
    pay = {"payment_token": "{{ op.token }}", "amount": "{{ op.amount }}", "currency": "{{ op.currency }}"}
    return Client(
        requests={
            "create": Request("create", "POST", "/v1/orders", create, keyed, FACTS),
            "pay": Request("pay", "POST", f"{order}/pay", pay, keyed, FACTS),
            "read": Request("read", "GET", order, None, keyed, FACTS),
        },
        outcomes=(OutcomeRule("2xx", "ok", executed=True),),
        paid_states=("paid",),
    )


def measure(
    port: int, orders: Connection, rate: float, seconds: float, mix: dict[str, float], stall_s: float
) -> dict[str, Any]:
    """One load; lag, rate and latencies from its history."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = PlannedLoad((Segment(0, seconds, rate),), mix, 400)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with LoadChild(
            plan, client(), CATALOGUE, Timing(), 1, Address("127.0.0.1", port), folder, folder / "log"
        ) as child:
            began = time.monotonic()
            child.wait_ready(60)
            ready_s = time.monotonic() - began
            t0_ns = time.monotonic_ns() + 200_000_000
            if stall_s:
                middle = t0_ns + int(seconds / 2 * 1e9)
                stall = (middle, middle + int(stall_s * 1e9))
                orders.send(stall)
            child.go(t0_ns)
            child.wait_done(seconds + 60)
            seen = child.counters
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        rows = [json.loads(line) for line in (folder / "history-0.jsonl").open()]
    cpu_s = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    result = {
        "rate_planned": rate,
        "rate_held": round(seen.started / seconds, 1),
        "ops": seen.ops,
        "dropped": seen.dropped,
        "lag_ms": {"p50": seen.lag.p50_ms, "p99": seen.lag.p99_ms, "max": seen.lag.max_ms},
        "ready_s": round(ready_s, 2),
        "cpu_us_per_intent_with_start": round(cpu_s / max(seen.started, 1) * 1e6),
    }
    if stall_s:
        result["p99_ms"] = p99_beside_truth(rows, stall)
    return result


def p99_beside_truth(rows: list[dict[str, Any]], stall: tuple[int, int]) -> dict[str, float]:
    """First operations from their due times; the truth waits exactly until the stall is over."""
    arrivals = {row["due"] for row in rows if row["kind"] == "intent"}
    due = {row["op"]: row["due"] for row in rows if row["kind"] == "invoke" and row["due"] in arrivals}
    returned = {row["op"]: row["t"] for row in rows if row["kind"] == "return"}
    seen = sorted(returned[op] - due[op] for op in due)
    truth = sorted(max(0, stall[1] - at) if at >= stall[0] else 0 for at in due.values())
    rank = int(len(seen) * 0.99)
    measured, true = seen[rank] / 1e6, truth[rank] / 1e6
    return {
        "measured": round(measured, 1),
        "truth": round(true, 1),
        "error_pct": round((measured / true - 1) * 100, 2),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rate", type=float, default=500)
    arguments.add_argument("--seconds", type=float, default=10)
    chosen = arguments.parse_args()
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(sock, theirs), daemon=True)
    server.start()
    port = sock.getsockname()[1]
    try:
        checkouts = measure(port, ours, chosen.rate, chosen.seconds, {"checkout": 1}, 0)
        stalled = measure(port, ours, 200, chosen.seconds, {"checkout": 1, "read": 39}, 1.0)
    finally:
        server.terminate()
        server.join()
    print(json.dumps({"checkouts": checkouts, "stall_1s": stalled}, indent=2))


if __name__ == "__main__":
    main()
