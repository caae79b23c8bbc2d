"""Texts with units, as people write them: durations `500ms`, rates `40/s`, bounds `>= 0.90` (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_DURATION_S = 24 * 3600.0
MAX_RATE_PER_S = 10_000.0

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|m|h)", re.ASCII)
_BOUND = re.compile(r"(>=|<=|>|<)\s*(\d+(?:\.\d+)?)", re.ASCII)
_LOOSE_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z/ ]*)", re.ASCII)
_LOOSE_UNITS = {
    "": "s",
    "msec": "ms",
    "millis": "ms",
    "milliseconds": "ms",
    "ms": "ms",
    "m": "m",
    "min": "m",
    "mins": "m",
    "minute": "m",
    "minutes": "m",
    "h": "h",
    "hour": "h",
    "hours": "h",
}


class BadUnit(ValueError):
    """A text that is no such quantity; `suggestion` is one that would be accepted."""

    def __init__(self, message: str, suggestion: str) -> None:
        self.suggestion = suggestion
        super().__init__(message)


@dataclass(frozen=True)
class Bound:
    """A measured value must compare so with `limit`."""

    comparison: str
    limit: float

    def holds(self, measured: float) -> bool:
        return {
            ">=": measured >= self.limit,
            "<=": measured <= self.limit,
            ">": measured > self.limit,
            "<": measured < self.limit,
        }[self.comparison]


def parse_duration(text: str) -> float:
    """Seconds of `5s`, `500ms`, `1.5m`, `1h`; at most a day. Raises BadUnit."""
    match = _DURATION.fullmatch(text)
    if not match or len(text) > 20:
        raise BadUnit(f"{_shown(text)} is not a duration such as 5s, 500ms or 1m", _near_duration(text))
    seconds = round(float(match[1]) * _SECONDS[match[2]], 6)
    if seconds > MAX_DURATION_S:
        raise BadUnit(f"{_shown(text)} is longer than a day", "24h")
    return seconds


def parse_rate(text: str) -> float:
    """Arrivals per second of `40/s`, `600/m`; positive, at most 10,000/s. Raises BadUnit."""
    match = _RATE.fullmatch(text)
    if not match or len(text) > 20:
        raise BadUnit(f"{_shown(text)} is not a rate such as 40/s or 600/m", _near_rate(text))
    per_second = float(match[1]) / _SECONDS[match[2]]
    if per_second <= 0:
        raise BadUnit("a rate must be more than 0", "40/s")
    if per_second > MAX_RATE_PER_S:
        raise BadUnit(f"{_shown(text)} is more than {MAX_RATE_PER_S:.0f}/s", f"{MAX_RATE_PER_S:.0f}/s")
    return per_second


def parse_bound(text: str) -> Bound:
    """`>= 0.90`, `< 800`. Raises BadUnit."""
    match = _BOUND.fullmatch(text.strip())
    if not match or len(text) > 30:
        number = _LOOSE_NUMBER.search(text)
        near = f'">= {number[1]}"' if number else '">= 0.90"'
        raise BadUnit(f"{_shown(text)} is not a bound such as >= 0.90 or <= 800", near)
    return Bound(match[1], float(match[2]))


def format_seconds(seconds: float) -> str:
    """A duration as it would be written: 0.5 -> `500ms`, 5.0 -> `5s`."""
    milliseconds = round(seconds * 1000, 3)
    if 0 < milliseconds < 1000:
        return f"{milliseconds:g}ms"
    return f"{round(seconds, 6):.10g}s"


def format_rate(per_second: float) -> str:
    return f"{round(per_second, 6):.10g}/s"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _near_duration(text: str) -> str:
    match = _LOOSE_NUMBER.search(text[:40])
    if not match:
        return "5s"
    unit = _LOOSE_UNITS.get(match[2].strip().lower(), "s")
    seconds = min(float(match[1]) * _SECONDS[unit], MAX_DURATION_S)
    return f"{round(seconds / _SECONDS[unit], 3):.12g}{unit}"


def _near_rate(text: str) -> str:
    match = _LOOSE_NUMBER.search(text[:40])
    if not match or float(match[1]) < 0.001:
        return "40/s"
    word = match[2].strip().lower().removeprefix("/").removeprefix("per").strip()
    unit = "m" if word in ("m", "min", "minute", "rpm") else "s"
    number = min(float(match[1]), MAX_RATE_PER_S * _SECONDS[unit])
    return f"{round(number, 3):.10g}/{unit}"
