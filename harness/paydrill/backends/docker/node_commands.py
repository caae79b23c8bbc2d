"""Commands inside a running container, as the node's user and behind the node's fence."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from typing import cast

from docker.models.containers import Container

from paydrill.backends import Address, CommandResult
from paydrill.backends.docker.image_recipe import POSTGRES_BIN
from paydrill.backends.docker.run_files import User
from paydrill.backends.postgres import SUPERUSER
from paydrill.errors import DrillBroken
from paydrill.topology import Node

TIMED_OUT = 124


def run(container: Container, argv: Sequence[str], user: User, timeout_s: float) -> CommandResult:
    """The engine cannot end a command that it began, so `timeout` does, inside: code 124."""
    bounded = ["/usr/bin/env", "-u", "HOSTNAME", "/usr/bin/timeout", "-k", "1", f"{timeout_s:.3f}", *argv]
    done = container.exec_run(bounded, user=f"{user.uid}:{user.gid}", demux=True)
    stdout, stderr = cast("tuple[bytes | None, bytes | None]", done.output)
    return CommandResult(
        TIMED_OUT if done.exit_code is None else done.exit_code, stdout or b"", stderr or b""
    )


def kill_all(container: Container, user: User) -> None:
    """SIGKILL every process of the node's user; -1 spares the container's first process and the caller."""
    container.exec_run(["/bin/sh", "-c", "kill -KILL -1"], user=f"{user.uid}:{user.gid}")


def signal_one(container: Container, pid: int, number: signal.Signals, user: User) -> None:
    """`pid` as the container counts."""
    container.exec_run(["/bin/sh", "-c", f"kill -{int(number)} {pid}"], user=f"{user.uid}:{user.gid}")


def psql(listen: Address, database: str, query: str, timeout_s: float) -> list[str]:
    """Each row as one line of JSON; the transaction is read-only and ends before `timeout` would."""
    wrapped = f"SELECT row_to_json(q) FROM ({query.strip().rstrip(';')}\n) q"
    return _psql(listen, database, wrapped, "-c default_transaction_read_only=on", timeout_s)


def insider_psql(listen: Address, database: str, statements: str, timeout_s: float) -> list[str]:
    """Whatever statements, in one transaction."""
    return _psql(listen, database, statements, "", timeout_s)


def _psql(listen: Address, database: str, statements: str, options: str, timeout_s: float) -> list[str]:
    limits = f"{options} -c statement_timeout={int(timeout_s * 1000)}"
    program = ["/usr/bin/env", f"PGOPTIONS={limits}", "PGCONNECT_TIMEOUT=3", f"{POSTGRES_BIN}/psql"]
    where = ["-h", listen.host, "-p", str(listen.port), "-U", SUPERUSER, "-d", database]
    return [*program, *where, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statements]


def rows(node: Node, done: CommandResult) -> list[dict[str, object]]:
    """Raises DrillBroken with psql's words when it failed."""
    if done.code != 0:
        why = "took too long" if done.code == TIMED_OUT else done.stderr.decode(errors="replace").strip()
        raise DrillBroken("store_not_read", f"{node.name}: query ended with {done.code}: {why[:500]}")
    return [json.loads(line) for line in done.stdout.decode().splitlines() if line]
