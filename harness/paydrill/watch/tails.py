"""Events from the files of a run, while they are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import orjson

from paydrill.events import Happened, LineReader, Source
from paydrill.events.course import TimelineReader
from paydrill.events.customers import HistoryReader
from paydrill.events.psp import PspReader
from paydrill.growing_file import GrowingFile
from paydrill.run_folder import JOURNAL, RunFolder
from paydrill.topology import PSPS

MOST_BYTES = 1 << 20
"""Read at once; what is more comes with the next look."""


@dataclass
class Tail:
    """One file, from its beginning on: readers remember what later lines refer to."""

    file: GrowingFile
    reader: LineReader

    def read(self) -> Iterator[Happened]:
        """What has happened since the last look; nothing as long as there is no file."""
        with suppress(FileNotFoundError):
            for line in self.file.new_lines(MOST_BYTES):
                # A journal's line begins with its hash.
                yield from self.reader.take(orjson.loads(line[line.index(b"{") :]))


def history_tail(run: RunFolder) -> Tail:
    return Tail(GrowingFile(run.path / "history-0.jsonl"), HistoryReader())


def tails_of(run: RunFolder, sources: set[Source]) -> Iterator[Tail]:
    """The files that tell events of these sources."""
    if "psp" in sources:
        yield from (Tail(GrowingFile(run.psp_folder(psp) / JOURNAL), PspReader(psp)) for psp in PSPS)
    if "customers" in sources:
        yield history_tail(run)
    if "course" in sources:
        yield Tail(GrowingFile(run.timeline), TimelineReader())
