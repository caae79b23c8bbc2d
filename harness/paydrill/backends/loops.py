"""Disks of a drill: an ext4 in a sparse file each, on a loop device.

They are attached where the watchdog, and `clean` after it, find them by the file behind them, whoever has
died: outside of the namespaces of a local drill, and in the temporary folder of one with Docker. A device goes by itself with its last mount,
but not while its file system is frozen, and a frozen one keeps whoever waits for it from dying.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import time
from pathlib import Path

from paydrill.backends import DISKS, Disk, DiskName, disks, namespaces
from paydrill.errors import EnvironmentNotReady, FaultNotApplied

SIZE_BYTES = 512 << 20
DETACH_WITHIN_S = 3.0
TOOL_WITHIN_S = 20.0
UNMOUNT_WITHIN_S = 3.0
NEW_WITHIN_S = 5.0
MENDED = (0, 1)  # e2fsck: nothing was wrong, or it was and has been corrected
_LOOP_CLR_FD = 0x4C01
_ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def place(name: DiskName) -> str:
    """What the folder is called on which a node's disk is mounted."""
    return f"disk-{name}"


def make(image: Path) -> str:
    """An empty disk of SIZE_BYTES, attached; its device. Raises EnvironmentNotReady with what was refused.

    At an error its file system takes no write any more, as one in production is set up.
    """
    image.parent.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(SIZE_BYTES)
    options = ["-q", "-F", "-m0", "-e", "remount-ro", "-E", "lazy_itable_init=1,nodiscard"]
    _run(["mkfs.ext4", *options, str(image)])
    return _run(["losetup", "--find", "--show", str(image)]).strip()


def mount(device: str, where: Path) -> None:
    """Its root is empty but for what was put there. Raises OSError."""
    where.mkdir(mode=0o700, exist_ok=True)
    namespaces.mount(device, str(where), "ext4")
    with contextlib.suppress(FileNotFoundError):
        (where / "lost+found").rmdir()


def unmount(where: Path) -> None:
    """Whoever has just died may hold it for a moment. Raises OSError when it is still busy after 3 s."""
    give_up = time.monotonic() + UNMOUNT_WITHIN_S
    while True:
        try:
            return namespaces.unmount(str(where))
        except OSError as problem:
            if problem.errno != errno.EBUSY or time.monotonic() > give_up:
                raise
        time.sleep(0.02)


def mount_anew(device: str, disk: Disk, *, mend: bool) -> None:
    """See Stack.mount_anew. Raises FaultNotApplied.

    Where somebody still has the old mount (whoever has just died, or made a view of all mounts for
    itself), nothing is new: it is tried again until they are gone.
    """
    give_up = time.monotonic() + NEW_WITHIN_S
    while True:
        try:
            unmount(disk.mount)
            problem = _mounted_and_well(device, disk.mount, mend=mend)
        except OSError as refused:
            raise FaultNotApplied(f"the {disk.name} disk of {disk.node.name}: {refused}") from refused
        if not problem:
            return
        if time.monotonic() > give_up:
            raise FaultNotApplied(f"the {disk.name} disk of {disk.node.name} was mounted anew: {problem}")
        time.sleep(0.02)


def _mounted_and_well(device: str, where: Path, *, mend: bool) -> str:
    """It is mounted in any case; why it is of no use, empty when it is."""
    problem = _mend(device) if mend else ""
    namespaces.mount(device, str(where), "ext4")
    if not problem and (disks.is_dead(where) or disks.is_read_only(where)):
        problem = "it still refuses what is written, as before: another process has its old mount"
    return problem


def let_go_of_other_drills() -> None:
    """Unmount their disks in the caller's own mount namespace: held here, they could not be mounted anew there."""
    places = [place(name) for name in DISKS]
    for source, where in reversed(namespaces.mounted()):
        if source.startswith("/dev/loop") and Path(where).name in places:
            with contextlib.suppress(OSError):
                namespaces.unmount(where)


def unmount_below(folder: Path) -> None:
    """Whatever is mounted in there. Raises OSError when it is still busy after 3 s."""
    for _, where in reversed(namespaces.mounted()):
        if where.startswith(f"{folder}/"):
            unmount(Path(where))


def of_files_below(folder: Path) -> list[str]:
    """Devices whose file is (or was) in that folder."""
    found = []
    for device in Path("/sys/block").glob("loop*"):
        with contextlib.suppress(OSError):
            behind = (device / "loop" / "backing_file").read_text(encoding="utf-8").strip()
            if behind.removesuffix(" (deleted)").startswith(f"{folder}/"):
                found.append(f"/dev/{device.name}")
    return sorted(found)


def thaw(devices: list[str]) -> None:
    """Thaw the file systems on them, also those that nobody has mounted any more.

    Each is mounted once more, in a mount namespace of a child's own, which the host does not see.
    """
    for device in devices:
        child = os.fork()
        if child == 0:
            _thaw_and_exit(device)
        os.waitpid(child, 0)


def remove(folder: Path) -> None:
    """Thaw and detach all of that folder; waits until they are gone. Raises OSError when one stays."""
    devices = of_files_below(folder)
    thaw(devices)
    give_up = time.monotonic() + DETACH_WITHIN_S
    while left := of_files_below(folder):
        for device in left:
            _detach(device)
        if time.monotonic() > give_up:
            raise OSError(f"loop devices {', '.join(left)} could not be detached")
        time.sleep(0.02)


def _thaw_and_exit(device: str) -> None:
    try:
        namespaces.unshare(namespaces.NEWNS)
        namespaces.make_mounts_private()
        # Over any folder: nobody else sees it, and it goes with this child.
        namespaces.mount(device, "/tmp", "ext4")
        disks.thaw(Path("/tmp"))
    except OSError:
        pass  # never mounted, or its power is off: then it is not frozen either
    finally:
        os._exit(0)


def _detach(device: str) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(device, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _LOOP_CLR_FD)
        finally:
            os.close(fd)


def _mend(device: str) -> str:
    """Why it could not be checked and corrected; empty when it is well."""
    argv = ["e2fsck", "-f", "-y", device]
    done = subprocess.run(argv, env=_ENV, capture_output=True, text=True, timeout=TOOL_WITHIN_S)
    if done.returncode not in MENDED:
        return f"e2fsck ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-600:]}"
    return ""


def _run(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, env=_ENV, capture_output=True, text=True, timeout=TOOL_WITHIN_S)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise EnvironmentNotReady(f"disk faults need {argv[0]}: {problem}") from problem
    if done.returncode != 0:
        raise EnvironmentNotReady(f"disk faults need loop devices: {argv[0]}: {done.stderr.strip()}")
    return done.stdout
