"""The writer of the journal: one write(2) a line at once, one fdatasync for many lines.

The order in the file is the order in memory. Whoever is to be answered waits for `durable`; lines
that nobody waits for are written but cost no sync of their own.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from paydrill.errors import UsageError
from paydrill.psp.chain import GENESIS, ChainBroken, link, walk
from paydrill.psp.lines import Line, decode, encode


class Journal:
    """An open journal. `n` is the number of its last line, `head` that line's hash.

    `broken` is called once, with the reason, when a line cannot be written or made durable; it must
    end the process: nothing may be answered after that.
    """

    def __init__(self, path: Path, broken: Callable[[str], None]) -> None:
        self.n = 0
        self.head = GENESIS
        self._broken = broken
        self._path = path
        self._fd = _open_locked(path)
        self._durable_n = 0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._syncing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fdatasync")

    def rebuild(self, apply: Callable[[Line], None]) -> int:
        """Read what is there, cut off a torn last line; returns the lines read.

        Raises UsageError when the file was changed: a simulator never writes on after that.
        """
        end = 0
        try:
            for each in walk(self._path):
                apply(decode(each.json))
                self.n, self.head, end = self.n + 1, each.digest, each.end
        except (ChainBroken, ValueError) as error:
            raise UsageError(f"{self._path}: {error}; give another --journal") from None
        os.ftruncate(self._fd, end)
        os.fdatasync(self._fd)
        self._durable_n = self.n
        return self.n

    def write(self, line: Line) -> int:
        """Append one line; it is in the kernel when this returns its number."""
        json = encode(self.n + 1, line)
        digest = link(self.head, json)
        whole = b"%b %b\n" % (digest.encode(), json)
        try:
            written = os.write(self._fd, whole)
        except OSError as error:
            self._broken(f"cannot write {self._path}: {error}")
            raise
        if written != len(whole):
            self._broken(f"cannot write {self._path}: only {written} of {len(whole)} bytes fitted")
            raise OSError("short write")
        self.n, self.head = self.n + 1, digest
        return self.n

    async def durable(self, n: int | None = None) -> None:
        """Return when line `n` (by default: the last one) and all before it are on the disk."""
        wanted = self.n if n is None else n
        if wanted <= self._durable_n:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((wanted, future))
        if self._syncing is None:
            self._syncing = asyncio.create_task(self._sync())
        await future

    async def _sync(self) -> None:
        """Sync until nobody waits any more."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiters:
                upto = self.n
                await loop.run_in_executor(self._thread, os.fdatasync, self._fd)
                self._durable_n = upto
                waiting, self._waiters = self._waiters, []
                for wanted, future in waiting:
                    if wanted > upto:
                        self._waiters.append((wanted, future))
                    elif not future.done():
                        future.set_result(None)
        except OSError as error:
            self._broken(f"cannot sync {self._path}: {error}")
        finally:
            self._syncing = None

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        os.fdatasync(self._fd)
        os.close(self._fd)


def _open_locked(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise UsageError(f"{path} is in use by another PSP simulator") from None
    return fd
