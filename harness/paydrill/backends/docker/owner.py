"""Who holds a run: a process by its number and start time, so that a reused number is not mistaken for it."""

from __future__ import annotations

import os
from pathlib import Path


def of_process(pid: int | None = None) -> str:
    """`<pid>:<start in clock ticks since boot>` of a living process; ours by default."""
    number = os.getpid() if pid is None else pid
    return f"{number}:{_started(number) or 0}"


def is_alive(owner: str) -> bool:
    number, _, started = owner.partition(":")
    return number.isdigit() and started.isdigit() and _started(int(number)) == int(started)


def _started(pid: int) -> int | None:
    """None when there is no such process, or only its zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
