"""The `timeline:` of a scenario: faults with their times, checked against load and topology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paydrill.fault_fields import places_of, read_fault, values_of
from paydrill.faults import Claims, Fault
from paydrill.scenario import Step
from paydrill.target import Target
from paydrill.topology import Topology
from paydrill.units import format_seconds
from paydrill.yaml_fields import Field, Section

STEP_KEYS = ("at", "for", "fault")
MAX_STEPS = 500


@dataclass(frozen=True)
class _Read:
    """A step that could be read, with what it hits: one entry a place."""

    section: Section
    step: Step
    hits: frozenset[str]

    @property
    def end_s(self) -> float:
        return round(self.step.at_s + self.step.for_s, 6)


def read_timeline(
    field: Field,
    faults: Mapping[str, type[Fault]],
    topology: Topology | None,
    duration_s: float | None,
    target: Target | None = None,
) -> tuple[Step, ...]:
    """The steps in file order; mistakes are noted. `duration_s` None: the load could not be read."""
    read: list[_Read] = []
    for index, item in enumerate(field.items()):
        if index >= MAX_STEPS:
            item.wrong(f"more than {MAX_STEPS} steps", "a shorter timeline")
            break
        one = _read_step(item.section(None), faults, topology, duration_s, target)
        if one is not None:
            read.append(one)
    for index, later in enumerate(read):
        for earlier in read[:index]:
            _refuse_twice_at_once(earlier, later)
    return tuple(one.step for one in read)


def _read_step(
    section: Section,
    faults: Mapping[str, type[Fault]],
    topology: Topology | None,
    duration_s: float | None,
    target: Target | None,
) -> _Read | None:
    at, length = section.require("at", "at: 5s"), section.require("for", "for: 5s")
    at_s = at.duration(zero=True) if at else None
    for_s = length.duration(zero=False) if length else None
    if at and length and at_s is not None and for_s is not None and duration_s is not None:
        _check_end(at, length, at_s, for_s, duration_s)
    named = section.require("fault", "fault: timeout")
    name = named.choice("fault", tuple(faults)) if named else None
    fault = read_fault(section, faults[name], STEP_KEYS) if name else None
    if fault is None:
        return None
    places = places_of(section, fault, topology, target) if topology else _written_places(fault)
    if at_s is None or for_s is None:
        return None
    return _Read(section, Step(at_s, for_s, fault), _hits(fault, places))


def _check_end(at: Field, length: Field, at_s: float, for_s: float, duration_s: float) -> None:
    end, load_end = format_seconds(at_s + for_s), format_seconds(duration_s)
    if at_s >= duration_s:
        near = format_seconds(max(0.0, duration_s - for_s)) if for_s < duration_s else "0s"
        at.wrong(f"{format_seconds(at_s)} is not before the end of the load ({load_end})", near)
    elif round(at_s + for_s, 6) > duration_s:
        near = format_seconds(round(duration_s - at_s, 6))
        length.wrong(f"the fault would end at {end}, after the end of the load ({load_end})", near)


def _written_places(fault: Fault) -> tuple[str, ...]:
    values = values_of(fault)
    return tuple(str(values[key]) for key in ("edge", "node", "nodes") if key in values)


def _hits(fault: Fault, places: tuple[str, ...]) -> frozenset[str]:
    """What no two steps may hit at once: the same fault on an edge's direction; anything on one node."""
    values = values_of(fault)
    if "node" in values or fault.hits == "node":
        return frozenset(f"node {place}" for place in places)
    way = f" {values['direction']}" if "direction" in values else ""
    claimed = fault.claims if isinstance(fault, Claims) else fault.name
    return frozenset(f"{claimed}{way} on {place}" for place in places or ("the load",))


def _refuse_twice_at_once(one: _Read, other: _Read) -> None:
    earlier, later = sorted((one, other), key=lambda read: read.step.at_s)
    if later.step.at_s >= earlier.end_s:
        return
    if not (both := sorted(one.hits & other.hits)):
        return
    # Said at the one that stands later in the file, with the time at which it could begin.
    field = other.section.get("at")
    if field is not None:
        same = one.step.fault.name == other.step.fault.name and not both[0].startswith("node ")
        busy = "the same fault" if same else one.step.fault.name
        span = f"{format_seconds(one.step.at_s)} to {format_seconds(one.end_s)}"
        where = both[0] + (f" and {len(both) - 1} more" if len(both) > 1 else "")
        field.wrong(
            f"twice at once: {busy} is in force from {span} ({one.section.path}; {where})",
            format_seconds(one.end_s),
        )
