"""What a toxic does to a connection that is already open, and what adding and removing one costs.

Prints one JSON document and asserts nothing: `python tests/benchmarks/bench_toxics.py [--latency-ms 50]`.
Round trips of one byte on one connection, without the toxic and with it by turns, so that a machine that
grows busier meanwhile is busier for both.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paydrill.backends import Address
from paydrill.parts import toxiproxy as part
from paydrill.topology import Edge
from paydrill.toxiproxy import server
from paydrill.toxiproxy.client import Toxiproxy
from paydrill.toxiproxy.toxic import Toxic
from paydrill.toxiproxy.transport import ToxiproxyError

EDGE = Edge("orders-1", "payments-1")
BLOCKS = 4
READY_WITHIN_S = 20.0


def measure(latency_ms: int = 50, trips: int = 200, changes: int = 50) -> dict[str, float]:
    """Milliseconds: medians of `trips` round trips without and with, of `changes` additions and removals."""
    toxic = Toxic("latency", "downstream", {"latency": latency_ms, "jitter": 0})
    without: list[float] = []
    with_it: list[float] = []
    adding: list[float] = []
    removing: list[float] = []
    with proxied() as (proxies, listen), socket.create_connection((listen.host, listen.port), 10) as open_one:
        open_one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(BLOCKS):
            without += [round_trip_ms(open_one) for _ in range(trips // BLOCKS)]
            proxies.add(EDGE, toxic)
            with_it += [round_trip_ms(open_one) for _ in range(trips // BLOCKS)]
            proxies.remove(EDGE, toxic)
        for _ in range(changes):
            began = time.perf_counter()
            proxies.add(EDGE, toxic)
            added = time.perf_counter()
            proxies.remove(EDGE, toxic)
            adding.append((added - began) * 1000)
            removing.append((time.perf_counter() - added) * 1000)
        round_trip_ms(open_one)  # it is the same connection to the end
    return {
        "asked_ms": float(latency_ms),
        "without_ms": statistics.median(without),
        "with_ms": statistics.median(with_it),
        "rise_ms": statistics.median(with_it) - statistics.median(without),
        "least_with_ms": min(with_it),
        "add_ms": statistics.median(adding),
        "remove_ms": statistics.median(removing),
    }


def round_trip_ms(connection: socket.socket) -> float:
    began = time.perf_counter()
    connection.sendall(b"x")
    if connection.recv(1) != b"x":
        raise ConnectionError("the connection was closed under its toxic")
    return (time.perf_counter() - began) * 1000


@contextmanager
def proxied() -> Iterator[tuple[Toxiproxy, Address]]:
    """A Toxiproxy server with one edge to an echo."""
    listen, api = free_address(), free_address()
    with echo() as upstream, tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "edges.json")
        config.write_bytes(server.config({EDGE.name: (listen, upstream)}))
        argv = server.argv(str(part.find().path), api.host, api.port, str(config))
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = Toxiproxy(api)
        try:
            wait_until_answers(client)
            yield client, listen
        finally:
            process.kill()
            process.wait()
            client.close()


def wait_until_answers(client: Toxiproxy) -> None:
    give_up = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            client.version()
            return
        except ToxiproxyError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)


@contextmanager
def echo() -> Iterator[Address]:
    """One connection at a time; ends with its client's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_answer, args=(listening,), daemon=True).start()
        yield Address("127.0.0.1", listening.getsockname()[1])


def _answer(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while said := connection.recv(1024):
            connection.sendall(said)


def free_address() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return Address("127.0.0.1", one.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=int, default=50)
    asked = parser.parse_args()
    print(json.dumps({name: round(value, 3) for name, value in measure(asked.latency_ms).items()}))


if __name__ == "__main__":
    main()
