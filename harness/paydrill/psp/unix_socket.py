"""Addresses of UNIX sockets whose path is longer than the 107 bytes that the kernel takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 107


@contextmanager
def address(path: Path) -> Iterator[str]:
    """A name for the socket at `path` that can be bound or connected to inside the `with` block.

    Raises OSError when the folder of a long path does not exist.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
