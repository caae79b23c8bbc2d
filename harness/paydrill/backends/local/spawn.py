"""Starting the processes of a local drill: by exec, or by the fork server where that is faster."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from paydrill.backends import ProcessIdentity, processes
from paydrill.backends.local import fork_server
from paydrill.errors import DrillBroken

ORDER_WITHIN_S = 10.0


@dataclass(frozen=True)
class Order:
    """One process to start. uid None: as the harness. `hidden`: folders it must not import from."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    log: str
    uid: int | None
    hidden: tuple[str, ...] = ()


def execute(program: str, order: Order) -> subprocess.Popen[bytes]:
    """Start `program` with the order's arguments in a session of its own; output goes to the log."""
    with open(order.log, "ab") as log:
        return subprocess.Popen(
            [program, *order.argv],
            env=dict(order.env),
            cwd=order.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=order.uid,
            group=order.uid,
            extra_groups=None if order.uid is None else [],
        )


def identity(pid: int) -> ProcessIdentity | None:
    """Who that pid is now; None when nobody, or only a zombie."""
    found = processes.stat(pid)
    return ProcessIdentity(pid, found.started) if found and found.alive else None


class ForkServer:
    """A running fork server; orders are answered in turn."""

    def __init__(self, sock: socket.socket, process: subprocess.Popen[bytes]) -> None:
        self._sock = sock
        self._process = process
        self._ready = False

    def start(self, order: Order) -> int:
        """The pid of the new process. Raises OSError when the server does not answer."""
        if not self._ready:
            self._receive()
            self._ready = True
        self._sock.send(json.dumps(asdict(order)).encode())
        pid = self._receive()["pid"]
        assert isinstance(pid, int)
        return pid

    def _receive(self) -> dict[str, object]:
        text = self._sock.recv(1 << 16)
        if not text:
            raise ConnectionResetError("the fork server has ended")
        said: dict[str, object] = json.loads(text)
        return said

    def close(self) -> None:
        self._sock.close()
        self._process.kill()
        self._process.wait()


@contextmanager
def fork_serving(modules: list[str], log: Path) -> Iterator[ForkServer]:
    """A fork server that imports `modules` (importing goes on while the caller does other things)."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(ORDER_WITHIN_S)
    with theirs, log.open("ab") as out:
        # aiohttp builds SSL contexts when it is imported; the node that wants certificates makes its own.
        env = {"PATH": os.defpath, "LANG": "C.UTF-8", "SSL_CERT_FILE": os.devnull}
        process = subprocess.Popen(
            [sys.executable, "-I", fork_server.__file__, str(theirs.fileno()), ",".join(modules)],
            pass_fds=[theirs.fileno()],
            env=env,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    server = ForkServer(ours, process)
    try:
        yield server
    finally:
        server.close()


def log_tail(log: str, lines: int = 12) -> str:
    """The end of a log, for the message about a node that did not come up."""
    with contextlib.suppress(OSError):
        text = Path(log).read_bytes()[-4000:].decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:]) or "(its log is empty)"
    return "(it has no log)"


def run_tool(argv: list[str], uid: int | None, timeout_s: float, cwd: str = "/") -> bytes:
    """Run a tool to its end as that user; its output. Raises DrillBroken with what it said."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent"}
    try:
        done = subprocess.run(
            argv,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise DrillBroken("stack_not_ready", f"{argv[0]}: {problem}") from problem
    if done.returncode != 0:
        raise DrillBroken(
            "stack_not_ready",
            f"{argv[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-800:].strip()}",
        )
    return done.stdout
