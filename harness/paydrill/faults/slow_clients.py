"""slow_clients: connections that send their request byte by byte, and never come to its end."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import ClassVar

from paydrill.backends import Stack, socket_table
from paydrill.errors import FaultNotApplied
from paydrill.faults import FOR_EVER_S, Expects, InForce, Scene, Witness
from paydrill.faults.load_fault import LoadFault
from paydrill.faults.strangers import MARK, Door, door_of

MOST_CONNECTIONS = 256
LEAST_SHARE = 0.7
DIAL_S = 1.0
DIALLERS_WAIT_S = 0.05


@dataclass
class _Slow:
    """One connection, None while nobody takes it, and what of its request has not been sent yet."""

    connection: socket.socket | None
    text: Iterator[bytes]


@dataclass
class Dripping:
    """All the connections, driven by one thread."""

    stack: Stack
    door: Door
    wanted: int
    gap_s: float
    mark: str
    slow: dict[int, _Slow] = field(default_factory=dict)
    closed: int = 0

    def step(self) -> float:
        return FOR_EVER_S

    def drip(self, stop: threading.Event) -> None:
        """One byte of each connection a gap; whoever was hung up on comes again."""
        while not stop.is_set():
            began_s = time.monotonic()
            for number in range(self.wanted):
                if stop.is_set():
                    return
                self._one_byte(number)
            stop.wait(max(DIALLERS_WAIT_S, self.gap_s - (time.monotonic() - began_s)))

    def _one_byte(self, number: int) -> None:
        one = self.slow.get(number)
        try:
            if one is None or one.connection is None:
                self.slow[number] = one = _Slow(self.door.connect(DIAL_S), _request(number, self.mark))
            elif _is_closed(one.connection):
                self.closed += 1
                raise ConnectionResetError
            assert one.connection is not None
            one.connection.sendall(next(one.text))
        except OSError:
            if one is not None and one.connection is not None:
                one.connection.close()
                one.connection = None

    def close(self) -> None:
        for one in list(self.slow.values()):
            if one.connection is not None:
                with suppress(OSError):
                    one.connection.close()

    def witness(self) -> Witness:
        """Counted in the kernel's tables: our ends, and those that the proxy of the entrance has for us."""
        ours = set(_names(list(self.slow.values())))
        opened = len(ours & {(row["host"], row["port"]) for row in _table() if not row["ended"]})
        listener = self.door.address.port
        taken = sum(
            one.local.port == listener and one.received > 0 and not one.ended
            for one in self.stack.proxy_connections()
        )
        open_ = min(opened, taken)
        told = f"{opened} of {self.wanted} slow connections are open, the entrance's proxy has {taken} in all"
        return Witness(
            "load",
            open_ >= LEAST_SHARE * self.wanted,
            f"{told}; the target hung up {self.closed} times",
            {"open_connections": float(open_), "hung_up_times": float(self.closed)},
        )


def _table() -> list[socket_table.Row]:
    """This machine's connections. Where the kernel does not tell of any, none is seen."""
    try:
        return socket_table.read()
    except OSError:
        return []


def _is_closed(connection: socket.socket) -> bool:
    """The other end has said something, or hung up: neither is what a slow request waits for."""
    readable, _, _ = select.select([connection], [], [], 0)
    if not readable:
        return False
    connection.setblocking(False)
    try:
        connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False  # TLS had something to say for itself
    finally:
        connection.settimeout(DIAL_S)
    return True


def _names(slow: Iterable[_Slow]) -> Iterator[tuple[str, int]]:
    """Our ends of those that are open."""
    for one in slow:
        with suppress(OSError):
            if one.connection is not None:
                yield one.connection.getsockname()


def _request(number: int, mark: str) -> Iterator[bytes]:
    """A request byte by byte, without end: every other one in its headers, the others in their body."""
    start = f"POST /slow/{number} HTTP/1.1\r\nHost: paydrill\r\n{MARK}: {mark}\r\n"
    if number % 2:
        start += "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
        # Its headers at once: whoever sends slowly is slow in the body only.
        yield start.encode()
        while True:
            yield b" "
    yield start.encode()
    for header in range(1 << 30):
        for byte in f"X-Slow-{header}: {header}\r\n".encode():
            yield bytes((byte,))


@dataclass(frozen=True, kw_only=True)
class SlowClients(LoadFault):
    """So many `connections` come in at the entrance and send a byte every `gap_ms`, half of them in their
    headers, half in a body: none ever comes to its end. Whoever is hung up on comes again.

    At most 256. They are in no history.
    """

    name: ClassVar[str] = "slow_clients"
    summary: ClassVar[str] = "connections that send byte by byte"
    expects: ClassVar[Expects] = "most"
    undo: ClassVar[str] = "the slow connections are closed"
    example: ClassVar[Mapping[str, object]] = {"connections": 48, "gap_ms": 200}

    connections: int
    gap_ms: int = 200

    def __post_init__(self) -> None:
        if not 1 <= self.connections <= MOST_CONNECTIONS:
            raise ValueError(
                f"connections: at least 1 and at most {MOST_CONNECTIONS}, got {self.connections}"
            )
        if self.gap_ms < 50:
            raise ValueError(f"gap_ms: at least 50, got {self.gap_ms}: less is no slow client")

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        door, stop = door_of(scene.stack), threading.Event()
        mark = f"{self.name}/{scene.fault_id}"
        dripping = Dripping(scene.stack, door, self.connections, self.gap_ms / 1000, mark)
        thread = threading.Thread(target=dripping.drip, args=(stop,), name=mark)
        with ExitStack() as heal:
            heal.callback(dripping.close)
            thread.start()
            heal.callback(thread.join)
            heal.callback(stop.set)
            yield dripping
        if left := _still_open(dripping):
            raise FaultNotApplied(f"{left} slow connections are still open after they were closed")


def _still_open(dripping: Dripping) -> int:
    return sum(one.connection is not None and one.connection.fileno() >= 0 for one in dripping.slow.values())


FAULT = SlowClients
