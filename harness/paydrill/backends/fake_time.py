"""A wall clock of a node's own: libfaketime, loaded when the node starts, and the file that it looks at.

It reads the file at each look at the clock, so that a step needs no restart. Monotonic clocks and timers
are left alone. Known limits: Python's `time.sleep()` fails in such a node (EINVAL), asyncio's does not;
after a step backward PostgreSQL's `pg_sleep()` sleeps on until the old time comes again.
"""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

LIBRARY = "/usr/$LIB/faketime/libfaketime.so.1"
"""`$LIB` is filled in by the loader: lib/x86_64-linux-gnu on Debian."""
PACKAGE = "libfaketime"
INSTALL = f"apt-get install -y {PACKAGE}"
RIGHT = 0
_TRIED_WITH_S = 100_000


def environment(file: str) -> Mapping[str, str]:
    """What a node is started with. `file` is where it sees its clock's file."""
    return {
        "LD_PRELOAD": LIBRARY,
        "FAKETIME_TIMESTAMP_FILE": file,
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def write(file: Path, step_s: int) -> None:
    """Put in place as a whole: half a number would be another time."""
    new = file.with_name(f"{file.name}.new")
    new.write_text(f"{step_s:+d}\n", encoding="ascii")
    new.chmod(0o644)
    new.replace(file)


@functools.cache
def missing() -> str:
    """Why no clock can be stepped on this machine, found by doing it; empty when one can."""
    with tempfile.TemporaryDirectory(prefix="paydrill-clock-") as folder:
        file = Path(folder, "clock")
        write(file, _TRIED_WITH_S)
        env = {"PATH": os.defpath, **environment(str(file))}
        try:
            done = subprocess.run(["date", "+%s"], env=env, capture_output=True, timeout=5)
            ahead_s = int(done.stdout) - time.time()
        except (OSError, ValueError, subprocess.TimeoutExpired) as problem:
            return f"the clock of a program could not be stepped: {problem}; {INSTALL}"
    if abs(ahead_s - _TRIED_WITH_S) > _TRIED_WITH_S / 2:
        return f"{LIBRARY} is not there or does nothing: {INSTALL}"
    return ""
