"""What can be done to a mounted ext4 from outside: freeze it, thaw it, break it, take its power away.

Each call needs CAP_SYS_ADMIN where the file system was mounted. Raises OSError in the kernel's words.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FIFREEZE, _FITHAW, _EXT4_SHUTDOWN = 0xC0045877, 0xC0045878, 0x8004587D
_NO_LOG_FLUSH = struct.pack("I", 2)


def freeze(mount: Path) -> None:
    """From now on whoever writes to it waits, unkillably; whoever reads does not."""
    with _opened(mount) as fd:
        fcntl.ioctl(fd, _FIFREEZE, 0)


def thaw(mount: Path) -> None:
    """Thawing what is not frozen is no error."""
    with _opened(mount) as fd:
        try:
            fcntl.ioctl(fd, _FITHAW, 0)
        except OSError as problem:
            if problem.errno != errno.EINVAL:
                raise


def is_frozen(mount: Path) -> bool:
    """Asked by freezing it: the kernel refuses what is frozen already."""
    try:
        freeze(mount)
    except OSError as problem:
        if problem.errno == errno.EBUSY:
            return True
        raise
    thaw(mount)
    return False


def cut_power(mount: Path) -> None:
    """What was not flushed is lost, and every access fails until it is mounted anew."""
    with _opened(mount) as fd:
        fcntl.ioctl(fd, _EXT4_SHUTDOWN, _NO_LOG_FLUSH)


def go_read_only(mount: Path) -> None:
    """Have the kernel find an error in it: it takes no write any more until it is checked and mounted anew.

    It must have been made or mounted to do so at an error (`errors=remount-ro`).
    """
    number = os.stat(mount).st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
    Path("/sys/fs/ext4", device, "trigger_fs_error").write_text("paydrill", encoding="ascii")


def free_bytes(mount: Path) -> int:
    found = os.statvfs(mount)
    return found.f_bavail * found.f_frsize


def is_dead(mount: Path) -> bool:
    """Whether its power is off: then nothing can be flushed (what is in memory can still be read)."""
    return _flush_refused(mount) == errno.EIO


def is_read_only(mount: Path) -> bool:
    """Whether the kernel has found an error in it and takes nothing any more."""
    return _flush_refused(mount) == errno.EROFS


def _flush_refused(mount: Path) -> int:
    """The error's number, 0 for none."""
    with _opened(mount) as fd:
        try:
            os.fsync(fd)
        except OSError as problem:
            return problem.errno or errno.EIO
    return 0


@contextmanager
def _opened(mount: Path) -> Iterator[int]:
    fd = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        with contextlib.suppress(OSError):
            os.close(fd)
