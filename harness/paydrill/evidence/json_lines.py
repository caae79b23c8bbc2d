"""Reading JSON lines that a crash may have torn, without ever raising for what stands in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

JsonObject = Mapping[str, object]


@dataclass(frozen=True)
class JsonLines:
    """The objects of a file in order. `torn`: the last line had no newline and was dropped;
    `malformed`: whole lines that are no JSON object."""

    objects: tuple[JsonObject, ...]
    torn: bool
    malformed: int


def read_json_lines(path: Path) -> JsonLines:
    """All whole lines of a file. Raises OSError only."""
    *whole, tail = path.read_bytes().split(b"\n")
    objects: list[JsonObject] = []
    malformed = 0
    for line in whole:
        parsed = _parse(line)
        if parsed is not None:
            objects.append(parsed)
        elif line.strip():
            malformed += 1
    return JsonLines(tuple(objects), torn=bool(tail.strip()), malformed=malformed)


def number(line: JsonObject, name: str) -> int:
    """A whole number of a line; -1 where there is none."""
    value = line.get(name)
    return value if type(value) is int else -1


def span(values: Iterable[object]) -> tuple[int, int]:
    """The least and the greatest of those that are whole numbers of 64 bits; (0, 0) without any."""
    times = [value for value in values if type(value) is int and 0 <= value < 2**63]
    return min(times, default=0), max(times, default=0)


def _parse(line: bytes) -> JsonObject | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
