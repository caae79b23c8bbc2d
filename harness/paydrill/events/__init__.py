"""What a scenario may wait for: events by name, and numbers that pass a bound (pure).

An event is something that a file of the run tells as it happens. Each file has a module here that
names its events and reads them from its lines: `psp` (the PSPs' journals), `customers` (the load's
history), `course` (the conductor's own timeline). Numbers are in `gauges`. To add an event, add it to
the `KINDS` of its source and let that source's reader tell it; nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Line = Mapping[str, Any]
Source = Literal["psp", "customers", "course"]
Point = Literal["before_commit", "after_commit"]


@dataclass(frozen=True)
class Happened:
    """One event. `facts` are what filters compare; `t_ns` is when its line was written."""

    event: str
    t_ns: int
    facts: Mapping[str, str]


class LineReader(Protocol):
    """Reads the lines of one file in their order; what it must remember of earlier ones is its own."""

    def take(self, line: Line) -> Iterator[Happened]: ...


@dataclass(frozen=True)
class HoldAt:
    """Where the PSP holds a request so that an event stands still. `effect` only after the commit."""

    point: Point
    effect: str | None = None


@dataclass(frozen=True)
class EventKind:
    """filters: the keys that a condition may narrow it by, each with its words (None: any text).

    hold: where the answer is held with `hold: true`; None: it cannot be, since nobody waits then.
    """

    name: str
    source: Source
    summary: str
    filters: Mapping[str, tuple[str, ...] | None]
    hold: HoldAt | None = None


@dataclass(frozen=True)
class OnEvent:
    """The `count`-th event of a kind, of those whose facts are as `only` says."""

    event: str
    count: int = 1
    only: Mapping[str, str] = field(default_factory=dict)

    def fits(self, happened: Happened) -> bool:
        return happened.event == self.event and all(
            happened.facts.get(key) == wanted for key, wanted in self.only.items()
        )

    def told(self) -> str:
        only = "".join(f", {key} {value}" for key, value in self.only.items())
        return f"{self.event} ({ordinal(self.count)}{only})"


@dataclass(frozen=True)
class Series:
    """A metric that the target counts of itself: of one node, or of all nodes of a service, added up.

    labels: names with their values, sorted; only what has them all is counted
    """

    name: str
    of: str
    labels: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        only = "".join(f", {name} {value}" for name, value in self.labels)
        return f"{self.name} of {self.of}{only}"


Metric = str | Series
"""A number by its name in `gauges`, or one of the target's own."""


@dataclass(frozen=True)
class OnGauge:
    """A number that is seen `over` or `under` a bound."""

    metric: Metric
    way: Literal["over", "under"]
    bound: float

    def fits(self, value: float) -> bool:
        return value > self.bound if self.way == "over" else value < self.bound

    def told(self) -> str:
        return f"{self.metric} {self.way} {self.bound:g}"


Condition = OnEvent | OnGauge


@dataclass(frozen=True)
class When:
    """A fault comes into force when `condition` is met between `after_s` and `before_s` of the load.

    hold: the PSP holds the answer that met it until the fault is in force.
    """

    condition: Condition
    after_s: float
    before_s: float
    hold: bool = False


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th …"""
    end = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{end}"


def condition_to_json(condition: Condition) -> dict[str, object]:
    match condition:
        case OnEvent(event, count, only):
            return {"event": event, "count": count, "only": {key: only[key] for key in sorted(only)}}
        case OnGauge(metric, way, bound):
            return {**_metric_to_json(metric), way: bound}


def condition_from_json(data: Line) -> Condition:
    """Raises KeyError, TypeError, ValueError for what is none."""
    if "event" in data:
        only = {str(key): str(value) for key, value in data["only"].items()}
        return OnEvent(str(data["event"]), int(data["count"]), only)
    way: Literal["over", "under"] = "over" if "over" in data else "under"
    return OnGauge(_metric_from_json(data), way, float(data[way]))


def _metric_to_json(metric: Metric) -> dict[str, object]:
    match metric:
        case Series(name, of, labels):
            return {"metric": name, "of": of, "labels": dict(labels)}
        case name:
            return {"metric": name}


def _metric_from_json(data: Line) -> Metric:
    name = str(data["metric"])
    if "of" not in data:
        return name
    labels = {str(label): str(value) for label, value in data["labels"].items()}
    return Series(name, str(data["of"]), tuple(sorted(labels.items())))


def when_to_json(when: When) -> dict[str, object]:
    return {
        **condition_to_json(when.condition),
        "after_s": when.after_s,
        "before_s": when.before_s,
        "hold": when.hold,
    }


def when_from_json(data: Line) -> When:
    """Raises KeyError, TypeError, ValueError for what is none."""
    return When(
        condition_from_json(data), float(data["after_s"]), float(data["before_s"]), bool(data["hold"])
    )
