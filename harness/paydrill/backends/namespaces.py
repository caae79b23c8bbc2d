"""The Linux calls that Python 3.11 lacks: unshare, mount, prctl. Each raises OSError naming the call.

Nothing here forks or keeps state. `errno` texts are the kernel's own.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Literal

NamespaceKind = Literal["root", "user", "none"]

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_SIOCSIFFLAGS, _IFF_UP_RUNNING_LOOPBACK = 0x8914, 0x49

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def fork_here_again() -> None:
    """Undo `unshare(NEWPID)` for children to come: once that namespace's init is dead, no fork into it works."""
    fd = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(fd, NEWPID), "setns(pid)")
    finally:
        os.close(fd)


def enter_user_namespace() -> None:
    """A new user namespace in which the caller has all capabilities and keeps its own ids.

    Only root becomes 1000 inside: PostgreSQL refuses to run as 0.
    """
    uid, gid = os.geteuid(), os.getegid()
    unshare(NEWUSER)
    maps = (
        ("setgroups", "deny"),
        ("uid_map", f"{uid or 1000} {uid} 1"),
        ("gid_map", f"{gid or 1000} {gid} 1"),
    )
    for name, text in maps:
        Path("/proc/self", name).write_text(text, encoding="ascii")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        data.encode() or None,
    )
    _check(result, f"mount {kind or 'bind'} {source} on {target}")


def unmount(target: str) -> None:
    _check(_libc.umount2(target.encode(), 0), f"umount {target}")


def mounted() -> list[tuple[str, str]]:
    """(source, place) of every mount that this process sees, the outer ones first."""
    found = []
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        source, place, *_ = line.split(" ")
        found.append((source, place.encode().decode("unicode_escape").encode("latin-1").decode()))
    return found


def flush(mounted: str) -> None:
    """Have everything of that file system on its disk."""
    fd = os.open(mounted, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _check(_libc.syncfs(fd), f"syncfs {mounted}")
    finally:
        os.close(fd)


def make_mounts_private() -> None:
    """What is mounted from here on stays in this mount namespace."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)


def bind(source: str, target: str, *, read_only: bool) -> None:
    """Bind `source` (may be `/proc/self/fd/N`) on `target`, which must exist."""
    mount(source, target, flags=MS_BIND | MS_REC)
    if read_only:
        # In a user namespace the flags that the mount was born with are locked and must be repeated.
        born_with = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | 8)
        mount("none", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | born_with)


def die_with_parent() -> None:
    """SIGKILL for the caller when the thread that forked it ends. Cleared by setuid."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def become_subreaper(on: bool = True) -> None:
    """Orphans among the caller's descendants become its children."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)")


def no_new_privileges() -> None:
    """No exec of the caller or its children gains rights (set-uid programs do not work)."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")


def network_up() -> None:
    """In a new network namespace: loopback up, every port allowed to every user, no IPv6."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", _IFF_UP_RUNNING_LOOPBACK, b""))
    net = Path("/proc/sys/net")
    (net / "ipv4/ip_unprivileged_port_start").write_text("0", encoding="ascii")
    (net / "ipv4/ip_forward").write_text("0", encoding="ascii")
    ipv6 = net / "ipv6/conf/all/disable_ipv6"
    if ipv6.exists():
        ipv6.write_text("1", encoding="ascii")
