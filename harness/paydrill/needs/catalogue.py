"""Every need that a fault may name, with its probe. A probe leaves nothing behind and takes less than a second."""

from __future__ import annotations

import os
import subprocess
import tempfile
import uuid
from functools import partial
from pathlib import Path

from paydrill.backends import fake_time, groups, loops, namespaces
from paydrill.backends.cgroups import Controller
from paydrill.backends.local.capabilities import in_child
from paydrill.errors import EnvironmentNotReady
from paydrill.needs import Need, Probe
from paydrill.parts import postgres

WITHIN_S = 5.0


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


def _cgroup(controller: Controller, backend: str) -> str:
    """A group is made and removed."""
    tree = groups.tree(controller)
    if tree is None:
        return f"the kernel has no {controller} controller, or nobody has mounted it"
    group = tree.home / f"paydrill-probe-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
        group.rmdir()
    except OSError as problem:
        return f"{tree.home} takes no group of ours: {problem.strerror}"
    return ""


def _in_image(probe: Probe) -> Probe:
    """With Docker it comes with the image, or the engine does it: there is nothing that this machine could lack."""
    return lambda backend: "" if backend == "docker" else probe(backend)


def _libfaketime(backend: str) -> str:
    return fake_time.missing()


def _libfiu(backend: str) -> str:
    """A read that is told to fail must fail."""
    program = 'fiu-run -x -c "enable name=posix/io/rw/read" head -c1 /etc/hostname'
    said = _run(["/bin/sh", "-c", f"{program} && echo read"])
    return "" if "error" in said.lower() else f"no read was made to fail: {said or 'nothing was said'}"


def _tzdata(backend: str) -> str:
    """A zone far from here must tell another hour."""
    said = _run(["/bin/date", "-d", "@0", "+%H:%M"], TZ="Asia/Kolkata")
    return (
        ""
        if said == "05:30"
        else f"at the epoch's begin it was {said or 'unknown'} in Asia/Kolkata, not 05:30"
    )


def _data_checksums(backend: str) -> str:
    """PostgreSQL is had from this machine."""
    try:
        postgres.find()
    except EnvironmentNotReady as problem:
        return str(problem)
    return ""


def _run(argv: list[str], **env: str) -> str:
    """What a program says on stdout, or else on stderr."""
    try:
        done = subprocess.run(
            argv, env={"PATH": os.defpath, **env}, capture_output=True, text=True, timeout=WITHIN_S
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return str(problem)
    return (done.stdout or done.stderr).strip()[-200:]


def _of_cgroups(controller: Controller) -> Probe:
    return partial(_cgroup, controller)


NEEDS = (
    Need("root", _root, "run paydrill as root"),
    Need("loop devices", _loop_devices, "apt-get install -y e2fsprogs mount"),
    Need("cgroup (io)", _of_cgroups("io")),
    Need("cgroup (cpu)", _in_image(_of_cgroups("cpu"))),
    Need("cgroup (memory)", _in_image(_of_cgroups("memory"))),
    Need("libfaketime", _in_image(_libfaketime), fake_time.INSTALL),
    Need("libfiu", _in_image(_libfiu), "apt-get install -y fiu-utils"),
    Need("data checksums", _in_image(_data_checksums)),
    Need("tzdata", _in_image(_tzdata), "apt-get install -y tzdata"),
)
