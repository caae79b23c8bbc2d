"""What a drill sees of this machine's files, in its own mount namespace.

Homes, /tmp and the folder of all runs are covered by empty folders; what is needed of them is bound
back at the same path. So nothing is copied, no permission of the host is changed, and secrets, other
runs and the rest of a home are not there. Everything is covered before anything is executed: a
program that is being loaded meanwhile would lose its files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from paydrill.backends import loops, namespaces
from paydrill.backends.local.layout import INSIDE

# Never covered, whatever the user's home or the folder of runs is.
_SYSTEM = tuple(
    Path(p)
    for p in (
        "/",
        "/usr",
        "/etc",
        "/var",
        "/opt",
        "/bin",
        "/lib",
        "/lib64",
        "/sbin",
        "/dev",
        "/proc",
        "/sys",
        "/run",
    )
)


@dataclass(frozen=True)
class Keep:
    """A file or folder that stays visible where it is."""

    path: Path
    writable: bool = False


@dataclass(frozen=True)
class Place:
    """A folder that shows up at a fixed path inside the drill."""

    path: Path
    at: Path
    writable: bool = True


def enter(keeps: Iterable[Keep], places: Iterable[Place], run_dir: Path, accounts: str) -> None:
    """Make the view; the caller is in fresh PID, mount and IPC namespaces. accounts: /etc/passwd's text."""
    namespaces.make_mounts_private()
    loops.let_go_of_other_drills()
    always = _always_covered(run_dir)
    # What holds a covered folder (a search path of `/tmp`, say) would uncover it.
    kept = _outermost(k for k in keeps if not any(cover.is_relative_to(k.path) for cover in always))
    covers = _covers(kept, always)
    with ExitStack() as stack:
        held = {path: _hold(stack, path) for path in [k.path for k in kept] + [p.path for p in places]}
        for cover in covers:
            mode = "1777" if cover in (Path("/tmp"), Path("/dev/shm")) else "0755"
            namespaces.mount("tmpfs", str(cover), "tmpfs", data=f"mode={mode}")
        for keep in kept:
            if any(keep.path.is_relative_to(cover) for cover in covers):
                _bind(held[keep.path], keep.path, writable=keep.writable)
        for place in places:
            _bind(held[place.path], place.at, writable=place.writable)
    namespaces.mount("proc", "/proc", "proc")
    passwd = INSIDE / "passwd"
    passwd.write_text(accounts, encoding="utf-8")
    namespaces.bind(str(passwd), "/etc/passwd", read_only=True)
    os.chdir("/")


def needed_by_python() -> list[Keep]:
    """The interpreter, its virtual environment, and every folder that modules come from."""
    folders = [sys.prefix, sys.base_prefix, *(entry or os.getcwd() for entry in sys.path)]
    programs = [Path(sys.executable), Path(sys.executable).resolve().parent.parent]
    paths = [Path(folder) for folder in folders] + programs
    return [Keep(p) for path in paths for p in {path.absolute(), path.resolve()} if p.exists()]


def _outermost(keeps: Iterable[Keep]) -> list[Keep]:
    """Shallow first; without those that another one with the same right contains."""
    found: list[Keep] = []
    for keep in sorted(set(keeps), key=lambda k: (len(k.path.parts), k.writable)):
        if not any(keep.path.is_relative_to(f.path) and keep.writable == f.writable for f in found):
            found.append(keep)
    return found


def _always_covered(run_dir: Path) -> list[Path]:
    wanted = (Path.home(), Path("/root"), Path("/home"), Path("/tmp"), Path("/dev/shm"), run_dir.parent)
    real = {path.resolve() for path in wanted if path.is_dir()}
    return [path for path in real if not any(system.is_relative_to(path) for system in _SYSTEM)]


def _covers(kept: list[Keep], always: list[Path]) -> list[Path]:
    """Folders to cover, outermost only; closed folders on the way to what is kept are among them."""
    wanted = set(always)
    for keep in kept:
        closed = [p for p in reversed(keep.path.parents) if p.is_dir() and not p.stat().st_mode & 0o001]
        wanted.update(p for p in closed[:1] if not any(system.is_relative_to(p) for system in _SYSTEM))
    found: list[Path] = []
    for path in sorted(wanted, key=lambda p: len(p.parts)):
        if not any(path.is_relative_to(f) for f in found):
            found.append(path)
    return found


def _hold(stack: ExitStack, path: Path) -> int:
    """An open handle that outlives the covering of the path."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    return fd


def _bind(held: int, at: Path, *, writable: bool) -> None:
    source = f"/proc/self/fd/{held}"
    if not os.path.lexists(at):
        at.parent.mkdir(parents=True, exist_ok=True)
        if os.path.isdir(source):
            at.mkdir()
        else:
            at.touch()
    namespaces.bind(source, str(at), read_only=not writable)
