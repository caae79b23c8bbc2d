"""The worker's loops of work, by themselves."""

from __future__ import annotations

import asyncio
import errno
import io
import json

from services.worker import repeat


class FailingWriter(io.StringIO):
    """Standard output of which a share of the writes fails, as `io_error` makes them."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = True

    def flush(self) -> None:
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")


def test_work_goes_on_when_neither_it_nor_its_log_could_be_written(monkeypatch):
    """Seen in a drill: the loops of a worker ended one by one while its process lived on, and orders stayed open."""
    out = FailingWriter()
    monkeypatch.setattr("services.worker.RETRY_S", 0.001)
    monkeypatch.setattr("sys.stdout", out)
    done = 0

    async def drive() -> None:
        ending = asyncio.Event()

        async def work() -> float:
            nonlocal done
            done += 1
            if done == 3:
                out.fails = False
            if done == 4:
                ending.set()
            raise OSError(errno.EIO, "Input/output error")

        await asyncio.wait_for(repeat("relay", work, ending), timeout=10)

    asyncio.run(drive())
    assert done == 4
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {(line["event"], line["loop"], line["error"]) for line in lines} == {
        ("worker_failed", "relay", "OSError")
    }
