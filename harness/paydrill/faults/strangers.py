"""Requests of somebody who is no customer, sent to the target's entrance at a bounded rate.

Nothing of it is in the history: what real users are answered is what guards and invariants count. Every
request says in a header of its own what it is.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from paydrill.backends import Address, Stack
from paydrill.backends.private_addresses import is_private
from paydrill.errors import FaultNotApplied
from paydrill.faults import FOR_EVER_S

MARK = "X-Paydrill-Stranger"
PATIENCE_S = 2.0
LATEST_S = 1.0
"""One that is late by more is left out: a target that answers slowly is not flooded afterwards."""
ANSWER_BYTES = 1 << 16
NO_ANSWER = 0


@dataclass(frozen=True)
class Door:
    """Where customers enter; `ca_file` given: it speaks TLS."""

    address: Address
    ca_file: Path | None

    def connect(self, timeout_s: float) -> socket.socket:
        """A connection, with TLS where the door has it. Raises OSError."""
        dialled = socket.create_connection((self.address.host, self.address.port), timeout=timeout_s)
        if self.ca_file is None:
            return dialled
        trusted = ssl.create_default_context(cafile=self.ca_file)
        return trusted.wrap_socket(dialled, server_hostname=self.address.host)


def door_of(stack: Stack) -> Door:
    """Where the customers of this run enter, and nowhere else.

    A stack of somebody else's must be on this machine or in a private network, whatever its owner says: who
    stands between would be attacked as well. Raises FaultNotApplied.
    """
    entrance, attached = stack.topology.entrance(), stack.setup.target.attached
    there = _addresses(attached.entrance.rpartition(":")[0]) if attached else []
    if strangers := [host for host in there if not is_private(host)]:
        raise FaultNotApplied(
            f"{entrance.name} leads to {strangers[0]}, which is neither on this machine nor in a private "
            "network: attacks and junk go to nobody else"
        )
    return Door(stack.dial(entrance), stack.setup.ca_of(stack.topology.node(entrance.server)))


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@dataclass(frozen=True)
class Visit:
    """One request. `about` says what it tries, in a word or two; `refused`: no target may do as it asks."""

    about: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    refused: bool = True


@dataclass(frozen=True)
class Answer:
    """`status` 0: there was none."""

    visit: Visit
    status: int
    took_s: float

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


NextVisit = Callable[[int], Visit | None]
"""The visit of a number, from 0; None: there is nothing to ask for yet. Called from one thread after the other."""


class Strangers:
    """What they were answered. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: list[Answer] = []
        self._sent = 0

    def add(self, answer: Answer) -> None:
        with self._lock:
            self._sent += 1
            self._answers.append(answer)

    @property
    def sent(self) -> int:
        with self._lock:
            return self._sent

    def answers(self) -> list[Answer]:
        """Those that came, in order."""
        with self._lock:
            return [one for one in self._answers if one.status != NO_ANSWER]

    def step(self) -> float:
        """They work by themselves."""
        return FOR_EVER_S


def by_status(answers: list[Answer]) -> dict[str, int]:
    """How many there were of each status, such as `400`."""
    return {str(status): count for status, count in sorted(Counter(one.status for one in answers).items())}


@contextmanager
def sent_by_strangers(
    strangers: Strangers, door: Door, rate_per_s: float, next_visit: NextVisit, mark: str, senders: int = 1
) -> Iterator[None]:
    """Visits at that rate from `senders` connections, until the block ends; then nothing is under way."""
    stop, lock = threading.Event(), threading.Lock()
    tickets = iter(range(1 << 62))
    began_s = time.monotonic()

    def take() -> tuple[float, Visit | None]:
        with lock:
            number = next(tickets)
            due_s = began_s + number / rate_per_s
            late = time.monotonic() - due_s > LATEST_S
            return due_s, None if late else next_visit(number)

    def work(line: _Line) -> None:
        while not stop.is_set():
            due_s, visit = take()
            if stop.wait(max(0.0, due_s - time.monotonic())):
                return
            if visit is not None and (answer := line.ask(visit, stop)) is not None:
                strangers.add(answer)

    lines = [_Line(door, mark) for _ in range(senders)]
    threads = [threading.Thread(target=work, args=(line,), name=f"stranger-{mark}") for line in lines]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for line in lines:
            line.cut()
        for thread in threads:
            thread.join()


class _Line:
    """One sender's connection, dialled again when it was lost."""

    def __init__(self, door: Door, mark: str) -> None:
        self._door = door
        self._mark = mark
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, visit: Visit, stop: threading.Event) -> Answer | None:
        """None when it was cut in the middle, since nobody wants to know any more."""
        began_s = time.monotonic()
        try:
            status = self._status(visit)
        except (OSError, http.client.HTTPException, ValueError):
            self._drop()
            if stop.is_set():
                return None
            status = NO_ANSWER
        return Answer(visit, status, time.monotonic() - began_s)

    def cut(self) -> None:
        """Wake whoever waits for an answer."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _status(self, visit: Visit) -> int:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                self._door.address.host, self._door.address.port, timeout=PATIENCE_S
            )
            self._connection.sock = self._door.connect(PATIENCE_S)
        headers = {"User-Agent": "paydrill-stranger", MARK: self._mark, **visit.headers}
        self._connection.request(visit.method, visit.path, visit.body, headers)
        answer = self._connection.getresponse()
        answer.read(ANSWER_BYTES)
        if answer.will_close or not answer.isclosed():
            self._drop()
        return answer.status

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
