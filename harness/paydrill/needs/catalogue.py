"""Every need that a fault may name, with its probe. A probe leaves nothing behind and takes less than a second."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import uuid
import zoneinfo
from collections.abc import Callable
from functools import partial
from pathlib import Path

from paydrill.backends import namespaces
from paydrill.backends.cgroups import Controller, tree_of
from paydrill.backends.cgroups_v1 import Version1
from paydrill.backends.local import loops
from paydrill.backends.local.capabilities import in_child
from paydrill.errors import EnvironmentNotReady
from paydrill.needs import Need, Probe
from paydrill.parts import postgres

WITHIN_S = 5.0
_FAKETIME = "/usr/$LIB/faketime/libfaketime.so.1"
"""`$LIB` is filled in by the loader: lib/x86_64-linux-gnu on Debian."""
_LONG_AGO = "1999-12-24 20:30:00"
_TELL_YEAR = "import time; print(time.gmtime().tm_year)"


def _root(backend: str) -> str:
    """A mount, in namespaces of a child's own."""
    return in_child(_mount_something).get("error", "")


def _mount_something() -> dict[str, str]:
    namespaces.unshare(namespaces.NEWNS)
    namespaces.make_mounts_private()
    namespaces.mount("tmpfs", "/tmp", "tmpfs")
    return {}


def _loop_devices(backend: str) -> str:
    """One is made and taken away again."""
    with tempfile.TemporaryDirectory(prefix="paydrill-probe-") as folder:
        try:
            loops.make(Path(folder) / "disk.img")
        except EnvironmentNotReady as problem:
            return str(problem)
        finally:
            loops.remove(Path(folder))
    return ""


def _cgroup(controller: Controller, version: type | None, backend: str) -> str:
    """A group is made and removed. `version` None: whichever the machine has."""
    tree = tree_of(controller, *(_text(name) for name in ("self/mountinfo", "cgroups", "self/cgroup")))
    if tree is None:
        return f"the kernel has no {controller} controller, or nobody has mounted it"
    if version is not None and not isinstance(tree.knobs, version):
        return f"the {controller} controller here is of cgroup v2"
    group = tree.home / f"paydrill-probe-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
        group.rmdir()
    except OSError as problem:
        return f"{tree.home} takes no group of ours: {problem.strerror}"
    return ""


def _text(name: str) -> str:
    with contextlib.suppress(OSError):
        return Path("/proc", name).read_text(encoding="utf-8")
    return ""


def _libfaketime(backend: str) -> str:
    """This Python must believe that it is 1999."""
    said = _run([sys.executable, "-I", "-c", _TELL_YEAR], LD_PRELOAD=_FAKETIME, FAKETIME=_LONG_AGO)
    return "" if said == "1999" else f"{_FAKETIME} is not there, or changes nothing: {said}"


def _libfiu(backend: str) -> str:
    """A read that is told to fail must fail."""
    program = 'fiu-run -x -c "enable name=posix/io/rw/read" head -c1 /etc/hostname'
    said = _run(["/bin/sh", "-c", f"{program} && echo read"])
    return "" if "error" in said.lower() else f"no read was made to fail: {said or 'nothing was said'}"


def _data_checksums(backend: str) -> str:
    """PostgreSQL has them; whether the cluster has is up to the backend."""
    try:
        postgres.find()
    except EnvironmentNotReady as problem:
        return str(problem)
    return ""


def _tzdata(backend: str) -> str:
    try:
        zoneinfo.ZoneInfo("Asia/Tokyo")
    except zoneinfo.ZoneInfoNotFoundError as problem:
        return str(problem)
    return ""


def _of_the_target(backend: str) -> str:
    """Nothing that a machine has or lacks: the fault looks at its place."""
    return ""


def _in_the_image(probe: Probe) -> Probe:
    """Docker's containers have it from their image, whatever this machine has."""

    def tried(backend: str) -> str:
        return "" if backend == "docker" else probe(backend)

    return tried


def _both(first: Probe, second: Probe) -> Probe:
    return lambda backend: first(backend) or second(backend)


def _run(argv: list[str], **env: str) -> str:
    """What a program says on stdout, or else on stderr."""
    try:
        done = subprocess.run(
            argv, env={"PATH": os.defpath, **env}, capture_output=True, text=True, timeout=WITHIN_S
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return str(problem)
    return (done.stdout or done.stderr).strip()[-200:]


def _of_cgroups(controller: Controller, version: type | None = None) -> Callable[[str], str]:
    return partial(_cgroup, controller, version)


_CPU, _MEMORY, _IO = _of_cgroups("cpu"), _of_cgroups("memory"), _of_cgroups("io")

NEEDS = (
    Need("root", _root, "run paydrill as root"),
    Need("loop devices", _loop_devices, "apt-get install -y e2fsprogs mount"),
    Need("cgroup v1 (blkio)", _of_cgroups("io", Version1)),
    Need("cgroup v1 (cpu)", _of_cgroups("cpu", Version1)),
    Need("cgroup v1 (memory)", _of_cgroups("memory", Version1)),
    Need("cgroups (blkio, or io of version 2)", _IO),
    # The engine makes the groups of its containers.
    Need("cgroup (cpu); root, or Docker", _in_the_image(_both(_root, _CPU))),
    Need("cgroup (memory); root, or Docker", _in_the_image(_both(_root, _MEMORY))),
    Need("libfaketime", _in_the_image(_libfaketime), "apt-get install -y libfaketime"),
    Need("libfiu", _in_the_image(_libfiu), "apt-get install -y fiu-utils"),
    Need("tzdata", _in_the_image(_tzdata), "apt-get install -y tzdata"),
    Need("data checksums", _in_the_image(_data_checksums)),
    Need("a Python service", _of_the_target, of_machine=False),
    Need("a node that keeps connections, or PostgreSQL", _of_the_target, of_machine=False),
    Need("a service that answers with a Date, or PostgreSQL", _of_the_target, of_machine=False),
)
