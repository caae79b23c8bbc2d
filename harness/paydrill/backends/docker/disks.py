"""Disks of containers' own: made and mounted on this machine, below what the container mounts.

They exist before the container is made, so that its mounts take them in. Everything is found again by the
run's temporary folder: the files behind the devices are in it, and so is where they are mounted.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from paydrill.backends import DISKS, Disk, StackSetup, loops, namespaces
from paydrill.backends.docker.postgres_template import copy_tree
from paydrill.backends.docker.run_files import RunFiles
from paydrill.errors import EnvironmentNotReady

CLUSTER_AT = Path(loops.place("data"), "pg")
WAL_AT = Path(loops.place("wal"), "pg_wal")


def missing() -> str:
    """Why there can be none here; empty when there can."""
    return "" if os.geteuid() == 0 else "disk faults with Docker need root: a disk is mounted on this machine"


def attach(setup: StackSetup, files: RunFiles) -> dict[Path, str]:
    """The device of each disk that the setup asks for, by where it is mounted. Raises EnvironmentNotReady."""
    if setup.disks_of and (lacks := missing()):
        raise EnvironmentNotReady(lacks)
    found = {}
    for node in setup.disks_of:
        for name in DISKS:
            mount = files.data(node) / loops.place(name)
            device = loops.make(files.folder / "disks" / f"{node}-{name}.img")
            try:
                loops.mount(device, mount)
            except OSError as problem:
                raise EnvironmentNotReady(f"disk faults need loop devices: {problem}") from problem
            files.user.give(mount)
            found[mount] = device
    return found


def place_cluster(folder: Path, cluster: Path) -> None:
    """Put a stopped cluster that is in the node's folder onto its disks, and flush them.

    The links that stay in its place hold on this machine as in the container.
    """
    data, wal = folder / CLUSTER_AT, folder / WAL_AT
    _move(cluster, data)
    _move(data / "pg_wal", wal)
    for mount in (data.parent, wal.parent):
        namespaces.flush(str(mount))


def seen_in_container(pid: int, disk: Disk) -> bool:
    """Whether the container whose first process that is has the very disk in its place."""
    return os.stat(f"/proc/{pid}/root{disk.inside}").st_dev == os.stat(disk.mount).st_dev


def thaw(folder: Path) -> None:
    """Of a run's temporary folder: else whoever waits for a frozen one could not die."""
    loops.thaw(loops.of_files_below(folder.resolve()))


def release(folder: Path) -> None:
    """Unmount and detach all of a run's temporary folder. Raises OSError when one is still in use."""
    thaw(folder)
    loops.unmount_below(folder.resolve())
    loops.remove(folder.resolve())


def _move(folder: Path, target: Path) -> None:
    """To another file system, with owners; a link stays."""
    copy_tree(folder, target)
    shutil.rmtree(folder)
    folder.symlink_to(os.path.relpath(target, folder.parent))
