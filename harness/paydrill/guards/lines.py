"""Reading JSON lines that may be torn, foreign or hostile: nothing here raises on bad content.

A run folder can come from a crash or from somebody else, so every value is asked for by type, with
a default, and what cannot be read is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

Line = Mapping[str, object]
MAX_LINE_BYTES = 4_000_000


@dataclass
class LineCount:
    """What a pass over one file met. `bad` are unreadable lines before the last one."""

    lines: int = 0
    bad: int = 0
    torn: bool = False


def raw_lines(path: Path, count: LineCount) -> Iterator[bytes]:
    """Whole lines of a file without their newline; nothing when it is missing. A torn last line is dropped."""
    try:
        with path.open("rb") as file:
            for raw in file:
                if not raw.endswith(b"\n"):
                    count.torn = True
                    return
                yield raw[:-1]
    except OSError:
        return


def json_lines(path: Path, count: LineCount) -> Iterator[Line]:
    """The objects of a JSON lines file, in order; unreadable lines are counted and skipped."""
    for raw in raw_lines(path, count):
        line = parse(raw)
        if line is None:
            count.bad += 1
        else:
            count.lines += 1
            yield line


def parse(raw: bytes) -> Line | None:
    """One JSON object, or None when it is anything else."""
    if len(raw) > MAX_LINE_BYTES:
        return None
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def json_object(path: Path) -> Line:
    """The object in a JSON file; empty when the file is missing or holds anything else."""
    try:
        return parse(path.read_bytes()) or {}
    except OSError:
        return {}


def integer(line: Line, key: str) -> int | None:
    value = line.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(line: Line, key: str) -> float | None:
    value = line.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def text(line: Line, key: str, default: str = "") -> str:
    value = line.get(key)
    return value if isinstance(value, str) else default


def boolean(line: Line, key: str) -> bool | None:
    value = line.get(key)
    return value if isinstance(value, bool) else None


def mapping(line: Line, key: str) -> Line:
    value = line.get(key)
    return value if isinstance(value, dict) else {}


def rows(line: Line, key: str) -> list[Line]:
    """The objects of a list; other things in it are left out."""
    value = line.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def texts(line: Line, key: str) -> tuple[str, ...]:
    """The strings of a list, or of one single string."""
    value = line.get(key)
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
