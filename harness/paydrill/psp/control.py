"""The harness's side of the simulator's control socket (synchronous, standard library only).

    with PspControl(path) as psp:
        held = psp.arm(effect="capture", count=3)
        ...
        strike = psp.wait_held(timeout_s=10)
        # put the fault in force and read it back
        psp.release(strike.hold)

Every call raises InstrumentDied when the simulator is gone or does not answer.
"""

from __future__ import annotations

import collections
import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from paydrill.errors import InstrumentDied, UsageError
from paydrill.psp.met import Met, MetEvent, MetRequest
from paydrill.psp.rules import Rule
from paydrill.psp.unix_socket import address

Point = Literal["before_commit", "after_commit"]
HeldAnswer = Literal["answer", "drop", "500"]
_POLL_S = 0.02


@dataclass(frozen=True)
class PspStatus:
    """`n`, `head`: the journal's last line. `in_flight`: requests and webhook tries being worked on now.

    `held` requests and `slow_commits` wait and are not in flight; `pending_webhooks` are those in
    flight, waiting for their next try, delayed, or duplicates to come; `later` is what the PSP will do
    by itself, `expiring` the ends of holds among it.
    """

    t_ns: int
    n: int
    head: str
    frozen: bool
    in_flight: int
    armed: int
    held: int
    slow_commits: int
    pending_webhooks: int
    later: int = 0
    expiring: int = 0

    @property
    def pending(self) -> int:
        """All effects and messages of the PSP that have still to come; 0 = it is quiet.

        A hold that will expire is none of them: its merchant may capture it before, or let it be.
        """
        to_come = self.later - self.expiring
        return self.in_flight + self.held + self.slow_commits + self.pending_webhooks + to_come


@dataclass(frozen=True)
class Armed:
    """A hold is in place since journal line `n`."""

    hold: int
    n: int
    t_ns: int


@dataclass(frozen=True)
class Held:
    """One request waits, since `t_ns`, with its hold's line `n` in the journal."""

    hold: int
    req: int
    point: str
    action: str
    token: int | None
    pi: str | None
    n: int
    t_ns: int


@dataclass(frozen=True)
class Released:
    """`released` is False when the hold had ended by itself before (expired)."""

    released: bool
    n: int
    t_ns: int


@dataclass(frozen=True)
class Drained:
    """`drained` is False when something was still in flight at the end of the time."""

    drained: bool
    status: PspStatus


class PspControl:
    """A connection to one simulator, opened by the first call.

    `connect_timeout_s` bounds the wait for a socket that does not exist yet, `answer_timeout_s` the
    wait for each answer. Safe to call from several threads. Holds that were armed here are released
    by `close`. `name` is the instrument's, for who asks which one died.
    """

    def __init__(
        self,
        path: Path,
        *,
        connect_timeout_s: float = 10.0,
        answer_timeout_s: float = 5.0,
        name: str = "psp",
    ) -> None:
        self.path = path
        self.name = name
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._lock = threading.RLock()
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._last_id = 0
        self._held: collections.deque[Held] = collections.deque()

    def connect(self) -> None:
        """Open the connection now, waiting for the socket to exist. Raises InstrumentDied."""
        with self._lock:
            self._connected(self._connect_timeout_s)

    def status(self) -> PspStatus:
        return _status(self._call("status", self._answer_timeout_s))

    def freeze(self) -> PspStatus:
        """New POSTs are answered 503, webhooks and slow commits stop; `n` and `head` are the anchor."""
        return _status(self._call("freeze", self._answer_timeout_s))

    def drain(self, timeout_s: float) -> Drained:
        """Wait until nothing is in flight, at most `timeout_s`."""
        answer = self._call("drain", timeout_s + self._answer_timeout_s, timeout_s=timeout_s)
        return Drained(bool(answer["drained"]), _status(answer))

    def resume(self) -> PspStatus:
        return _status(self._call("resume", self._answer_timeout_s))

    def arm(
        self,
        *,
        action: str | None = None,
        effect: str | None = None,
        token: int | None = None,
        pi: str | None = None,
        point: Point = "after_commit",
        count: int = 1,
        max_s: float = 30.0,
    ) -> Armed:
        """Hold the `count`-th execution from now that fits, for at most `max_s`.

        `action`: create, confirm, capture, cancel or refund; `effect`: what it did (capture, auth,
        decline …), only with point after_commit; `token`: the harness's number. Raises UsageError.
        """
        match = {"action": action, "effect": effect, "token": token, "pi": pi}
        answer = self._call("arm", self._answer_timeout_s, match=match, point=point, count=count, max_s=max_s)
        return Armed(answer["hold"], answer["n"], answer["t"])

    def wait_held(self, timeout_s: float) -> Held | None:
        """The next request that came into a hold; None when there was none in time."""
        until = time.monotonic() + timeout_s
        while True:
            with self._lock:
                if self._held:
                    return self._held.popleft()
                left = until - time.monotonic()
                if left <= 0:
                    return None
                self._take_message(min(left, _POLL_S))

    def release(self, hold: int, answer: HeldAnswer = "answer") -> Released:
        """Let the held request go: answered, its connection dropped, or a 500 in place of its answer."""
        told = self._call("release", self._answer_timeout_s, hold=hold, answer=answer)
        return Released(bool(told["released"]), told["n"], told["t"])

    def behave(self, behaviour: Mapping[str, object]) -> None:
        """Other behaviours from now on: shares, numbers and `rules`; what is not named is as usual.

        Raises UsageError.
        """
        self._call("behave", self._answer_timeout_s, behaviour=dict(behaviour))

    def add_rule(self, rule: Rule) -> tuple[str, ...]:
        """One rule more, after those in force; adding it again changes nothing. The ids of all in force.

        Raises UsageError, also for the id of another rule.
        """
        return self._rules_after("add_rule", rule=rule.as_json())

    def remove_rule(self, rule: str) -> tuple[str, ...]:
        """Without the rule of that id; one that is not there changes nothing. The ids of those left."""
        return self._rules_after("remove_rule", rule=rule)

    def rules(self) -> tuple[str, ...]:
        """The ids of the rules in force."""
        return self._rules_after("rules")

    def met(self, rule: str) -> Met:
        """What became of the requests and events that a rule has met, as the journal has it."""
        return _met(self._call("met", self._answer_timeout_s, rule=rule)["met"])

    def _rules_after(self, command: str, **fields: object) -> tuple[str, ...]:
        return tuple(self._call(command, self._answer_timeout_s, **fields)["rules"])

    def alive(self) -> bool:
        """Whether it answers now; waits for no socket and raises nothing."""
        try:
            with self._lock:
                self._connected(0.0)
                self._call("status", min(1.0, self._answer_timeout_s))
        except InstrumentDied:
            return False
        return True

    def close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket, self._buffer = None, b""
            self._held.clear()

    def __enter__(self) -> PspControl:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the wire --------------------------------------------------------------------------------

    def _call(self, command: str, wait_s: float, **fields: object) -> dict[str, Any]:
        with self._lock:
            connection = self._connected(self._connect_timeout_s)
            self._last_id += 1
            wanted = self._last_id
            line = json.dumps({"id": wanted, "cmd": command, **fields}).encode() + b"\n"
            try:
                connection.settimeout(wait_s)
                connection.sendall(line)
            except OSError as error:
                raise self._died(f"cannot send {command!r}: {error}") from None
            until = time.monotonic() + wait_s
            while (left := until - time.monotonic()) > 0:
                answer = self._take_message(left)
                if answer is not None and answer.get("id") == wanted:
                    return _checked(command, answer)
            raise self._died(f"no answer to {command!r} within {wait_s:g} s")

    def _take_message(self, timeout_s: float) -> dict[str, Any] | None:
        """One answer; None when there was none in time, or an event came (it is kept)."""
        line = self._take_line(timeout_s)
        if line is None:
            return None
        message: dict[str, Any] = json.loads(line)
        if message.get("event") != "held":
            return message
        fields = {name: message[name] for name in ("hold", "req", "point", "action", "token", "pi", "n")}
        self._held.append(Held(**fields, t_ns=message["t"]))
        return None

    def _take_line(self, timeout_s: float) -> bytes | None:
        connection = self._connected(self._connect_timeout_s)
        until = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            left = until - time.monotonic()
            if left <= 0:
                return None
            connection.settimeout(left)
            try:
                more = connection.recv(1 << 16)
            except TimeoutError:
                return None
            except OSError as error:
                raise self._died(f"control connection lost: {error}") from None
            if not more:
                raise self._died("it closed the control connection")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _connected(self, timeout_s: float) -> socket.socket:
        if self._socket is not None:
            return self._socket
        until = time.monotonic() + timeout_s
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                with address(self.path) as name:
                    connection.settimeout(max(0.5, timeout_s))
                    connection.connect(name)
            except OSError as error:
                connection.close()
                if time.monotonic() >= until:
                    raise self._died(
                        f"cannot connect to {self.path} ({error}); is the simulator running?"
                    ) from None
                time.sleep(_POLL_S)
                continue
            self._socket = connection
            return connection

    def _died(self, detail: str) -> InstrumentDied:
        """After this the next call tries a new connection: it may have been restarted."""
        self.close()
        return InstrumentDied(self.name, detail)


def _checked(command: str, answer: dict[str, Any]) -> dict[str, Any]:
    if not answer["ok"]:
        raise UsageError(f"PSP control {command!r}: {answer['error']}")
    return answer


def _met(told: Mapping[str, Any]) -> Met:
    return Met(
        told["drawn"],
        tuple(
            MetRequest(
                **{**one, "by_request": tuple(one["by_request"]), "by_itself": tuple(one["by_itself"])}
            )
            for one in told["requests"]
        ),
        tuple(MetEvent(**one) for one in told["events"]),
    )


def _status(answer: Mapping[str, Any]) -> PspStatus:
    return PspStatus(
        t_ns=answer["t"],
        n=answer["n"],
        head=answer["head"],
        frozen=answer["frozen"],
        in_flight=answer["in_flight"],
        armed=answer["armed"],
        held=answer["held"],
        slow_commits=answer["slow_commits"],
        pending_webhooks=answer["pending_webhooks"],
        later=answer["later"],
        expiring=answer["expiring"],
    )
