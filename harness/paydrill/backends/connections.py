"""The kernel's table of sockets as the harness's own type: the same for both backends."""

from __future__ import annotations

from collections.abc import Iterable

from paydrill.backends import Address, Connection
from paydrill.backends.socket_table import Row


def connections(rows: Iterable[Row]) -> list[Connection]:
    return [
        Connection(Address(row["host"], row["port"]), row["received"], row["acked"], row["ended"])
        for row in rows
    ]
