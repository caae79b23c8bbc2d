"""The simulator's control: newline JSON over a UNIX socket, mode 0600, out of the target's reach.

A command is `{"id": 1, "cmd": "arm", …}`, its answer `{"id": 1, "ok": true, …}`; what happens by
itself comes in the same stream as `{"event": "held", …}`. Every message carries `t` (monotonic ns)
and `n` (the journal's last line), so that their order is total.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from paydrill.errors import UsageError
from paydrill.psp.desk import Desk
from paydrill.psp.holds import ANSWERS, BEFORE_COMMIT, POINTS, Match
from paydrill.psp.unix_socket import address
from paydrill.psp.webhooks import Webhooks

_Message = dict[str, object]


class ControlServer:
    """Serves any number of connections; what one of them armed is released when it closes."""

    def __init__(self, desk: Desk, webhooks: Webhooks) -> None:
        self._desk = desk
        self._webhooks = webhooks

    async def listen(self, path: Path) -> asyncio.Server:
        """Keep what this returns: a server that nobody holds stops listening."""
        return await asyncio.start_unix_server(self._serve, sock=_bound(path))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        owner = object()

        def tell(message: _Message) -> None:
            writer.write(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE))

        try:
            while line := await reader.readline():
                tell(await self._answer(line, owner, tell))
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # gone, or a line longer than any command, or the process ends
        finally:
            self._desk.holds.owner_gone(owner)
            writer.close()

    async def _answer(self, line: bytes, owner: object, tell: Callable[[_Message], None]) -> _Message:
        number: object = None
        try:
            command = orjson.loads(line)
            if not isinstance(command, dict):
                raise UsageError("a command is a JSON object")
            number = command.pop("id", None)
            result = await self._run(command, owner, tell)
        except (UsageError, ValueError, TypeError) as error:
            result = {"ok": False, "error": str(error)}
        return {"id": number, "ok": True, "t": time.monotonic_ns(), "n": self._desk.journal.n, **result}

    async def _run(
        self, command: dict[str, Any], owner: object, tell: Callable[[_Message], None]
    ) -> _Message:
        name = command.pop("cmd", None)
        match name:
            case "status":
                return self._status()
            case "freeze":
                return await self._freeze()
            case "drain":
                return await self._drain(_number(command, "timeout_s"))
            case "resume":
                self._desk.resume()
                self._wake()
                return self._status()
            case "arm":
                return self._arm(command, owner, tell)
            case "release":
                return self._release(command)
            case "behave":
                self._desk.behave(_mapping(command, "behaviour"))
                return {"behaviour": self._desk.behaviours.as_json()}
            case "add_rule":
                self._desk.add_rule(_mapping(command, "rule"))
                return self._rules()
            case "remove_rule":
                self._desk.remove_rule(_text(command, "rule"))
                return self._rules()
            case "rules":
                return self._rules()
            case "met":
                return {"met": self._desk.memory.encounters.of(_text(command, "rule"))}
            case _:
                raise UsageError(f"unknown command {name!r}")

    def _rules(self) -> _Message:
        """Those in force, by their ids."""
        return {"rules": [rule.id for rule in self._desk.behaviours.rules]}

    def _status(self) -> _Message:
        desk, webhooks = self._desk, self._webhooks
        return {
            "head": desk.journal.head,
            "frozen": desk.ledger.frozen,
            "in_flight": len(desk.flight) + webhooks.in_flight,
            "armed": desk.holds.armed,
            "held": desk.holds.held,
            "slow_commits": desk.slow_commits,
            "pending_webhooks": webhooks.pending,
            "later": desk.agenda.pending,
            "expiring": desk.agenda.expiring,
        }

    async def _freeze(self) -> _Message:
        """The head is that of the freeze line itself, taken before anything else can be written."""
        self._desk.freeze()
        frozen = {"n": self._desk.journal.n, **self._status()}
        self._wake()
        await self._desk.journal.durable()
        return frozen

    async def _drain(self, timeout_s: float) -> _Message:
        try:
            async with asyncio.timeout(timeout_s):
                await self._all_quiet()
        except TimeoutError:
            return {"drained": False, **self._status()}
        await self._desk.journal.durable()
        return {"drained": True, **self._status()}

    async def _all_quiet(self) -> None:
        await self._desk.flight.empty()
        if self._webhooks is not None:
            await self._webhooks.drained()

    def _arm(self, command: Mapping[str, Any], owner: object, tell: Callable[[_Message], None]) -> _Message:
        wanted = Match(**_mapping(command, "match"))
        point, count, max_s = command.get("point"), command.get("count"), _number(command, "max_s")
        if point not in POINTS:
            raise UsageError(f"point: expected one of {', '.join(POINTS)}, got {point!r}")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise UsageError(f"count: expected a whole number from 1, got {count!r}")
        if point == BEFORE_COMMIT and wanted.effect is not None:
            raise UsageError("match.effect is known only after the commit: use point after_commit")
        return {"hold": self._desk.holds.arm(owner, wanted, point, count, max_s, tell).number}

    def _release(self, command: Mapping[str, Any]) -> _Message:
        number, answer = command.get("hold"), command.get("answer")
        if answer not in ANSWERS or not isinstance(number, int):
            raise UsageError(f"release: expected a hold's number and one of {', '.join(ANSWERS)}")
        return {"released": self._desk.holds.release(number, answer)}

    def _wake(self) -> None:
        self._webhooks.wake()


def _number(command: Mapping[str, Any], name: str) -> float:
    value = command.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 3600:
        raise UsageError(f"{name}: expected seconds, more than 0 and at most 3600, got {value!r}")
    return float(value)


def _mapping(command: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = command.get(name)
    if not isinstance(value, dict):
        raise UsageError(f"{name}: expected an object, got {value!r}")
    return value


def _text(command: Mapping[str, Any], name: str) -> str:
    value = command.get(name)
    if not isinstance(value, str):
        raise UsageError(f"{name}: expected a text, got {value!r}")
    return value


def _bound(path: Path) -> socket.socket:
    """A socket file that is 0600 from its first moment; a stale one of a killed process is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with address(path) as name:
            server.bind(name)
    finally:
        os.umask(before)
    return server
