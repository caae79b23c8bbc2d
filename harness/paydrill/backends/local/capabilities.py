"""What this machine lets the local backend do: each thing is tried by using it, in a child process.

The result goes into run.json. `isolation` is `strong` only when everything was had.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from paydrill.backends import Address, namespaces
from paydrill.backends.local import firewall
from paydrill.backends.namespaces import NamespaceKind

KINDS: tuple[NamespaceKind, ...] = ("root", "user", "none")
PROBE_UID = 60001


@dataclass(frozen=True)
class Capabilities:
    """lacking: what could not be had -> the system's own words."""

    namespaces: NamespaceKind
    uids: bool
    firewall: bool
    lacking: dict[str, str]

    @property
    def isolation(self) -> str:
        return "strong" if self.namespaces == "root" and self.uids and self.firewall else "weak"

    def as_json(self) -> dict[str, object]:
        return {
            "namespaces": self.namespaces,
            "uids": self.uids,
            "firewall": self.firewall,
            "isolation": self.isolation,
            "lacking": self.lacking,
        }


def probe(best: NamespaceKind = "root") -> Capabilities:
    """Try namespaces from `best` down to `none`, then users and the firewall (about 20 ms)."""
    lacking: dict[str, str] = {}
    kind: NamespaceKind = "none"
    for candidate in KINDS[KINDS.index(best) :]:
        said = {} if candidate == "none" else in_child(lambda c=candidate: _inside(c))  # type: ignore[misc]
        if "error" not in said:
            kind = candidate
            break
        lacking[f"{candidate} namespaces"] = said["error"]
    lacking |= {f"{skipped} namespaces": "not asked for" for skipped in KINDS[: KINDS.index(best)]}
    if kind != "root":
        lacking["uids"] = "all nodes run as one user: users of their own need namespaces made by root"
        lacking["firewall"] = "its rules go by user"
        return Capabilities(kind, False, False, lacking)
    refused = in_child(_become_somebody_else).get("error")
    if refused:
        lacking["uids"] = refused
    if "firewall" in said:
        lacking["firewall"] = said["firewall"]
    return Capabilities(kind, not refused, not refused and "firewall" not in said, lacking)


def _inside(kind: NamespaceKind) -> dict[str, str]:
    """Make the namespaces as a drill does; the firewall's trouble is reported apart."""
    if kind == "user":
        namespaces.enter_user_namespace()
    namespaces.unshare(namespaces.NEWPID)
    return in_child(_inside_init)


def _inside_init() -> dict[str, str]:
    namespaces.unshare(namespaces.NEWNS | namespaces.NEWNET | namespaces.NEWIPC | namespaces.NEWUTS)
    namespaces.make_mounts_private()
    namespaces.mount("proc", "/proc", "proc")
    namespaces.mount("tmpfs", "/tmp", "tmpfs", data="mode=1777")
    namespaces.network_up()
    try:
        _firewall_bites()
    except (OSError, subprocess.SubprocessError) as problem:
        return {"firewall": str(problem)}
    return {}


def _firewall_bites() -> None:
    """The rules must stop the user of a node and let the harness through."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("127.0.0.1", server.getsockname()[1])
        firewall.load(firewall.rules({PROBE_UID: ()}, (PROBE_UID, PROBE_UID)))
        socket.create_connection((address.host, address.port), 1.0).close()

        def connect() -> dict[str, str]:
            _become_somebody_else()
            socket.create_connection((address.host, address.port), 1.0).close()
            return {"passed": "yes"}

        if "passed" in in_child(connect):
            raise OSError("the rules were loaded and stopped nothing")


def _become_somebody_else() -> dict[str, str]:
    os.setgroups([])
    os.setresgid(PROBE_UID, PROBE_UID, PROBE_UID)
    os.setresuid(PROBE_UID, PROBE_UID, PROBE_UID)
    return {}


def in_child(do: Callable[[], dict[str, str]]) -> dict[str, str]:
    """What `do` returns in a forked child, or {"error": …} when it raised."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            said = do()
        except BaseException as problem:
            said = {"error": f"{type(problem).__name__}: {problem}"}
        os.write(writer, json.dumps(said).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    found: dict[str, str] = json.loads(text) if text else {"error": "the probe was killed"}
    return found
