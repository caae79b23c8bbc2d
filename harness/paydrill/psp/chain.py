"""The hash chain of the journal: `<sha256(previous hash + json)> <json>` per line (pure).

A changed, removed or inserted line breaks every hash after it. A last line without its newline is
*torn*: the writer was killed in the middle of it, so nobody was ever answered from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GENESIS = "0" * 64
"""What stands for the previous hash in the first line."""

_HASH_LENGTH = 64


class ChainBroken(Exception):
    """A whole line that does not follow from the one before. `line` counts from 1."""

    def __init__(self, line: int, detail: str) -> None:
        self.line = line
        super().__init__(f"journal line {line}: {detail}")


@dataclass(frozen=True, slots=True)
class Link:
    """One verified line: its hash, its JSON, and where the next line begins (bytes)."""

    digest: str
    json: bytes
    end: int


def link(previous: str, json: bytes) -> str:
    """The hash of a line that follows `previous`."""
    return hashlib.sha256(previous.encode() + json).hexdigest()


def walk(path: Path) -> Iterator[Link]:
    """Every whole line in order; a torn last line is left out. Raises ChainBroken, OSError."""
    previous, end = GENESIS, 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            digest, json = line[:_HASH_LENGTH].decode("ascii", "replace"), line[_HASH_LENGTH + 1 : -1]
            if line[_HASH_LENGTH : _HASH_LENGTH + 1] != b" " or digest != link(previous, json):
                raise ChainBroken(
                    number, "its hash does not follow from the line before; the file was changed"
                )
            previous, end = digest, end + len(line)
            yield Link(digest, json, end)
