"""What a scenario file asks for (frozen, pure); `scenario_file.py` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paydrill.events import Condition, When
from paydrill.faults import Fault


@dataclass(frozen=True)
class Load:
    """Open-loop arrivals of the whole mix. `mix` gives each traffic class its weight."""

    rate_per_s: float
    duration_s: float
    mix: Mapping[str, float]
    max_in_flight: int = 400


@dataclass(frozen=True)
class Step:
    """A fault in force from `at_s` for `for_s`, seconds after the load began.

    With `when` it comes into force at an event, from `at_s` on at the earliest, and `for_s` counts from then.
    A line of the timeline that is repeated is several steps.
    """

    at_s: float
    for_s: float
    fault: Fault
    when: When | None = None

    @property
    def end_s(self) -> float:
        """When it is healed; with `when`, at the latest."""
        return round((self.at_s if self.when is None else self.when.before_s) + self.for_s, 6)


@dataclass(frozen=True)
class AbortIf:
    """What ends the drill at once, from `after_s` of the load on."""

    condition: Condition
    after_s: float = 0.0


@dataclass(frozen=True)
class Window:
    """A guard of a scenario: how many payments must have been hit at a point, all faults together."""

    name: str
    at_least: int


@dataclass(frozen=True)
class Expect:
    """`invariants` is None for all. `slo` maps a measure to a bound such as `>= 0.90`.

    min_ok_in_fault: writes answered ok during each fault; None: as many as each fault says itself
    """

    invariants: tuple[str, ...] | None = None
    slo: Mapping[str, str] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    min_ok: int = 30
    min_ops_in_fault: int = 30
    min_ok_in_fault: int | None = None


@dataclass(frozen=True)
class Scenario:
    """`text` is the file as it was read: it goes into the run folder unchanged."""

    name: str
    title: Mapping[str, str]
    why: str
    load: Load
    timeline: tuple[Step, ...] = ()
    abort_if: tuple[AbortIf, ...] = ()
    psp: Mapping[str, float] = field(default_factory=dict)
    expect: Expect = field(default_factory=Expect)
    timing: Mapping[str, float] = field(default_factory=dict)
    target: str | None = None
    topology: str | None = None
    path: Path | None = None
    text: str = ""
