"""Calls of a Python service that fail by chance: libfiu, loaded when the node starts and told at run time.

Each process of the node has a pair of named pipes in the node's folder, by which it is told. What one of
PostgreSQL's does with libfiu is a crash at its start (libfiu 1.1): Python services only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

Call = Literal["read", "write"]

LIBRARIES = ("/usr/lib/fiu/fiu_run_preload.so", "/usr/lib/fiu/fiu_posix_preload.so")
PACKAGE = "fiu-utils"
INSTALL = f"apt-get install -y {PACKAGE}"
# Of files and sockets: uvloop writes to a socket as to a file, asyncio sends.
POINTS: Mapping[Call, tuple[str, ...]] = {
    "read": ("posix/io/rw/read", "posix/io/rw/readv", "posix/io/net/recv", "posix/io/net/recvmsg"),
    "write": ("posix/io/rw/write", "posix/io/rw/writev", "posix/io/net/send", "posix/io/net/sendmsg"),
}
EIO = 5
PIPES = "fiu"

# Run as the node's user beside the node. The last line it prints is how many processes were told.
TELL = """
import errno, glob, os, select, sys, time
prefix, commands = sys.argv[1], sys.argv[2:]
give_up = time.monotonic() + 5
deaf_s = 1.5

def opened(pipe):
    # Between two commands libfiu's thread is away from its pipe for a moment. For longer it is away when a
    # call of its own was made to fail and ended it: it will not come back then.
    deaf = time.monotonic() + deaf_s
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as problem:
            if problem.errno != errno.ENXIO or time.monotonic() > min(deaf, give_up):
                raise
        time.sleep(0.01)

def tell(pipe, command):
    into = opened(pipe)
    out = os.open(pipe[:-len(".in")] + ".out", os.O_RDONLY | os.O_NONBLOCK)
    os.write(into, (command + "\\n").encode())
    os.close(into)
    said = b""
    while not said.endswith(b"\\n") and time.monotonic() < give_up:
        if select.select([out], [], [], 0.1)[0]:
            said += os.read(out, 16)
            time.sleep(0 if said else 0.01)  # nothing: it has not come to its end of the pipe yet
    os.close(out)
    # What is not enabled cannot be disabled (-1): a process that began meanwhile, or half an injection.
    if said.strip() != b"0" and not (said.strip() == b"-1" and command.startswith("disable ")):
        sys.exit(f"{pipe}: {command}: {said!r}")

def is_alive(pipe):
    return os.path.exists("/proc/" + pipe[len(prefix) + 1:-len(".in")])

told = 0
for pipe in filter(is_alive, glob.glob(prefix + "-*.in")):
    try:
        for command in commands:
            tell(pipe, command)
        told += 1
    except OSError:
        if is_alive(pipe):
            raise
print(told)
"""


def environment(prefix: str) -> Mapping[str, str]:
    """What a node is started with. `prefix`: of its pipes, where it may make files."""
    return {"LD_PRELOAD": ":".join(LIBRARIES), "FIU_CTRL_FIFO": prefix}


def together(*environments: Mapping[str, str]) -> dict[str, str]:
    """Of several things to be loaded, all are."""
    found: dict[str, str] = {}
    for one in environments:
        loaded = [env["LD_PRELOAD"] for env in (found, one) if "LD_PRELOAD" in env]
        found |= one
        if loaded:
            found["LD_PRELOAD"] = ":".join(loaded)
    return found


def begin(call: Call, share: float) -> list[str]:
    """libfiu's commands by which that share of the calls fails with EIO."""
    return [f"enable_random name={point},probability={share:g},failinfo={EIO}" for point in POINTS[call]]


def end(call: Call) -> list[str]:
    return [f"disable name={point}" for point in POINTS[call]]


def missing() -> str:
    """Why no call can be made to fail on this machine; empty when it can."""
    lacking = [library for library in LIBRARIES if not os.access(Path(library), os.R_OK)]
    return f"{lacking[0]} is not there: {INSTALL}" if lacking else ""
