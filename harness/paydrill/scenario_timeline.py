"""The `timeline:` of a scenario: faults with their times, checked against load and topology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paydrill.events import When
from paydrill.fault_fields import places_of, read_fault, values_of
from paydrill.faults import Claims, Fault, ShapesLoad
from paydrill.scenario import Step
from paydrill.scenario_conditions import read_when
from paydrill.scenario_gauges import Whose
from paydrill.target import Target
from paydrill.topology import Topology
from paydrill.units import format_seconds
from paydrill.yaml_fields import Field, Section

STEP_KEYS = ("at", "for", "every", "repeat", "when", "fault")
MAX_STEPS = 500


@dataclass(frozen=True)
class _Span:
    """When a step is in force: from `at_s`, or when its event comes."""

    at_s: float
    for_s: float
    when: When | None = None


@dataclass(frozen=True)
class _Read:
    """A step that could be read, with what it hits: one entry a place. `name`: how messages call it."""

    section: Section
    name: str
    step: Step
    hits: frozenset[str]


def read_timeline(
    field: Field,
    faults: Mapping[str, type[Fault]],
    topology: Topology | None,
    duration_s: float | None,
    target: Target | None = None,
) -> tuple[Step, ...]:
    """The steps in file order, a repeated one as often as it comes; mistakes are noted.

    `duration_s` None: the load could not be read.
    """
    read: list[_Read] = []
    for item in field.items():
        read += _read_step(item.section(None), faults, topology, duration_s, target)
        if len(read) > MAX_STEPS:
            item.wrong(f"more than {MAX_STEPS} steps", "a shorter timeline")
            return ()
    for index, later in enumerate(read):
        for earlier in read[:index]:
            if _refuse_twice_at_once(earlier, later):
                break
    return tuple(one.step for one in read)


def repeated(at_s: float, every_s: float, times: int) -> tuple[float, ...]:
    """The begins of a step that comes `times` in all, `every_s` from one to the next."""
    return tuple(round(at_s + number * every_s, 6) for number in range(times))


def _read_step(
    section: Section,
    faults: Mapping[str, type[Fault]],
    topology: Topology | None,
    duration_s: float | None,
    target: Target | None,
) -> list[_Read]:
    length = section.require("for", "for: 5s")
    for_s = length.duration(zero=False) if length else None
    named = section.require("fault", "fault: timeout")
    name = named.choice("fault", tuple(faults)) if named else None
    when = section.get("when")
    whose = Whose(topology, target)
    spans = _read_when(section, for_s, duration_s, whose) if when else _read_at(section, for_s, duration_s)
    fault = read_fault(section, faults[name], STEP_KEYS) if name else None
    if fault is None:
        return []
    if when and isinstance(fault, ShapesLoad):
        when.wrong(f"{name} is part of the plan's arrivals and cannot wait for an event", "at: 5s")
        return []
    places = places_of(section, fault, topology, target) if topology else _written_places(fault)
    hits = _hits(fault, places)
    named_as = section.path if len(spans) == 1 else f"one time of {section.path}"
    return [_Read(section, named_as, Step(span.at_s, span.for_s, fault, span.when), hits) for span in spans]


def _read_at(section: Section, for_s: float | None, duration_s: float | None) -> list[_Span]:
    at, length = section.require("at", "at: 5s"), section.get("for")
    at_s = at.duration(zero=True) if at else None
    if at and length and at_s is not None and for_s is not None and duration_s is not None:
        _check_end(at, length, at_s, for_s, duration_s)
    every, repeat = section.get("every"), section.get("repeat")
    if every and not repeat:
        every.wrong(
            "a step that comes every so often also says how often: the key 'repeat' is missing", "repeat: 3"
        )
    if repeat and not every:
        repeat.wrong(
            "a step that is repeated also says how far apart: the key 'every' is missing", "every: 4s"
        )
    every_s = every.duration(zero=False) if every else None
    times = repeat.integer(1, MAX_STEPS) if repeat else 1
    if at_s is None or for_s is None:
        return []
    if every is None or repeat is None or every_s is None or times is None:
        return [_Span(at_s, for_s)]
    if every_s < for_s:
        every.wrong(
            f"twice at once: it comes every {format_seconds(every_s)} and is in force for {format_seconds(for_s)}",
            format_seconds(for_s),
        )
        return [_Span(at_s, for_s)]
    begins = repeated(at_s, every_s, times)
    ends = [round(begin + for_s, 6) for begin in begins]
    if duration_s is not None and ends[0] <= duration_s < ends[-1]:
        fitting = sum(end <= duration_s for end in ends)
        last, load_end = format_seconds(ends[-1]), format_seconds(duration_s)
        repeat.wrong(
            f"the last one would end at {last}, after the end of the load ({load_end})", str(fitting)
        )
    return [_Span(begin, for_s) for begin in begins]


def _read_when(section: Section, for_s: float | None, duration_s: float | None, whose: Whose) -> list[_Span]:
    for key in ("at", "every", "repeat"):
        if section.get(key) is not None:
            section.key_wrong(key, f"a step with 'when' has no {key!r}: it begins when its event comes")
    field = section.get("when")
    when = read_when(field, for_s or 0.0, duration_s, whose) if field else None
    if when is None or for_s is None:
        return []
    return [_Span(when.after_s, for_s, when)]


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


def _refuse_twice_at_once(one: _Read, other: _Read) -> bool:
    """Whether they were refused. Times of one line cannot meet: `every` is not shorter than `for`."""
    earlier, later = sorted((one, other), key=lambda read: read.step.at_s)
    if one.section is other.section or later.step.at_s >= earlier.step.end_s:
        return False
    if not (both := sorted(one.hits & other.hits)):
        return False
    # Said at the one that stands later in the file, with the time at which it could begin.
    field = other.section.get("when") or other.section.get("at")
    if field is None:
        return False
    same = one.step.fault.name == other.step.fault.name and not both[0].startswith("node ")
    busy = "the same fault" if same else one.step.fault.name
    span = f"{format_seconds(one.step.at_s)} to {format_seconds(one.step.end_s)}"
    where = both[0] + (f" and {len(both) - 1} more" if len(both) > 1 else "")
    is_in = "may be" if one.step.when else "is"
    free = format_seconds(one.step.end_s)
    field.wrong(
        f"twice at once: {busy} {is_in} in force from {span} ({one.name}; {where})",
        f"after: {free}" if other.step.when else free,
    )
    return True
