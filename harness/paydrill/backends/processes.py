"""Looking at processes through /proc, and ending those of a run.

A process of a run is known by its standard output or standard error: they point into the run's
`logs/` folder. Unlike environment or title this survives what PostgreSQL and nginx do to themselves,
and it needs no journal that a crash could leave behind half written.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

POLL_S = 0.004


@dataclass(frozen=True)
class ProcessStat:
    """One process now. `state` is the kernel's letter; `started` ticks since boot."""

    pid: int
    state: str
    parent: int
    session: int
    started: str

    @property
    def alive(self) -> bool:
        return self.state not in ("Z", "X")


def stat(pid: int) -> ProcessStat | None:
    """None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return ProcessStat(pid, fields[0], int(fields[1]), int(fields[3]), fields[19])


def environment(pid: int) -> dict[str, str]:
    """What the process was executed with, in the kernel's words; empty when it cannot be read."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    pairs = (one.decode(errors="replace").partition("=") for one in raw.split(b"\0") if one)
    return {name: value for name, _, value in pairs}


def working_folder(pid: int) -> str:
    """Where the process works, as it sees it itself; empty when it cannot be read."""
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def is_running(pid: int, started: str) -> bool:
    """Whether exactly this process still runs (a pid alone may have been given anew)."""
    now = stat(pid)
    return now is not None and now.alive and now.started == started


def all_processes() -> Iterator[ProcessStat]:
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := stat(int(name))) is not None:
            yield found


def of_user(uid: int) -> list[ProcessStat]:
    """Living processes whose real user is `uid`."""
    return [p for p in all_processes() if p.alive and _owner(p.pid) == uid]


def writing_to(place: Path) -> list[ProcessStat]:
    """Living processes whose stdout or stderr is `place` or a file in it."""
    return [p for p in all_processes() if p.alive and _writes_to(p.pid, place)]


def children_of(parent: int) -> list[ProcessStat]:
    return [p for p in all_processes() if p.parent == parent]


def end_all(find: Callable[[], list[ProcessStat]], within_s: float) -> list[int]:
    """SIGKILL what `find` finds until it finds nothing; the pids that are still there after `within_s`."""
    give_up = time.monotonic() + within_s
    while found := [p for p in find() if p.pid != os.getpid()]:
        for process in found:
            with contextlib.suppress(OSError):
                os.kill(process.pid, signal.SIGKILL)
        reap_children(found)
        if time.monotonic() > give_up:
            return [p.pid for p in found]
        time.sleep(POLL_S)
    return []


def reap_children(processes: list[ProcessStat]) -> None:
    """Collect those that are dead children of the caller, others are left alone."""
    for process in processes:
        with contextlib.suppress(OSError):
            os.waitpid(process.pid, os.WNOHANG)


def _owner(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def _writes_to(pid: int, place: Path) -> bool:
    for fd in (1, 2):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if target == str(place) or target.startswith(f"{place}/"):
            return True
    return False
