"""Following a file while it is written: whole lines only, each once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class GrowingFile:
    """From its beginning on, or from the byte `at`."""

    path: Path
    at: int = 0

    def new_lines(self, most_bytes: float = math.inf) -> Iterator[bytes]:
        """Those that have come since, without their newlines; after `most_bytes` the rest is for the next time.

        Raises OSError where there is no file.
        """
        enough = self.at + most_bytes
        with self.path.open("rb") as file:
            file.seek(self.at)
            for line in file:
                if self.at >= enough or not line.endswith(b"\n"):
                    return
                self.at += len(line)
                yield line[:-1]
