"""Lines of JSON between the harness and the load child, over one stream socket.

To the child: `setup`, `go {t0_ns}`, `final {timeout_s}`, `stop`.
From it: `ready`, `counters`, `done` (all arrivals came, all intents ended), `final_done`, `problem`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import orjson

from paydrill.load.counters import ByOutcome, Lag, LoadCounters

Message = dict[str, Any]


class Channel:
    """One end. Raises OSError when the other end is gone and something is sent."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, kind: str, **fields: Any) -> None:
        self._sock.sendall(orjson.dumps({"kind": kind, **fields}, option=orjson.OPT_APPEND_NEWLINE))

    def messages(self) -> Iterator[Message]:
        """Every message that comes; ends when the other end is gone."""
        rest = b""
        while True:
            try:
                data = self._sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield orjson.loads(line)

    def close(self) -> None:
        """Wakes a reader of `messages` too."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other end was gone already
        self._sock.close()


def counters_to_json(counters: LoadCounters) -> Message:
    return asdict(counters)


def counters_from_json(plain: Message) -> LoadCounters:
    nested = {
        "all": ByOutcome(**plain["all"]),
        "checkouts": ByOutcome(**plain["checkouts"]),
        "lag": Lag(**plain["lag"]),
    }
    return LoadCounters(**{**plain, **nested})
