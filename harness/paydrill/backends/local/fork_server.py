"""Starts Python nodes by fork, with third-party libraries already imported. A program of its own:

    python -I fork_server.py <fd of a SOCK_SEQPACKET socket> <modules to import, comma-separated>

It says `{"ready": true}`, then answers each order (see paydrill.backends.local.spawn.Order) with
`{"pid": n}`. It is executed, not forked from the harness: no secret and no judge is in its memory. It
never imports code of the target; the child does, as the node's user. Standard library only.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from typing import Any


def main() -> None:
    sock = socket.socket(fileno=int(sys.argv[1]))
    for name in filter(None, sys.argv[2].split(",")):
        # A library that is not there is the target's problem when it imports it itself.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    gc.collect()
    gc.freeze()
    sock.send(b'{"ready": true}')
    while order := sock.recv(1 << 20):
        pid = os.fork()
        if pid == 0:
            sock.close()
            _become(json.loads(order))
        sock.send(json.dumps({"pid": pid}).encode())


def _become(order: dict[str, Any]) -> None:
    """Run the node in this process; never returns."""
    code = 1
    try:
        _take_over(order)
        code = _run(order["argv"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _take_over(order: dict[str, Any]) -> None:
    os.setsid()
    _tell_name(order["log"])  # after a change of user it would be refused
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, 256)
    if order["uid"] is not None:
        os.setgroups([])
        os.setresgid(order["uid"], order["uid"], order["uid"])
        os.setresuid(order["uid"], order["uid"], order["uid"])
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, write_through=True)  # type: ignore[union-attr]
    # The judge is not for nodes: only the target's source and third-party libraries can be imported.
    sys.path[:] = [order["cwd"], *(p for p in sys.path if p not in order["hidden"])]


def _tell_name(log: str) -> None:
    """`ps` and `top` show the node (its log is named after it) instead of this program."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w") as comm:
        comm.write(os.path.basename(log).removesuffix(".log")[:15])


def _run(argv: list[str]) -> int:
    """`-m module args…` or `script.py args…`, as the interpreter itself would."""
    gc.unfreeze()
    if argv[0] == "-m":
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = argv
        sys.path[0] = os.path.dirname(os.path.abspath(argv[0]))
        runpy.run_path(argv[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    main()
