"""Scenario + seed -> Plan: everything that will happen, resolved (pure).

The same scenario, topology and seed give the same plan, byte for byte. `plan.json` is one of the
two narrow waists of a drill; the other is the evidence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any, cast

import orjson

from paydrill.errors import UsageError
from paydrill.events import (
    When,
    condition_from_json,
    condition_to_json,
    when_from_json,
    when_to_json,
)
from paydrill.faults import Fault, Shape, ShapesLoad
from paydrill.scenario import AbortIf

if TYPE_CHECKING:
    from paydrill.scenario import Load, Scenario, Step
    from paydrill.target import Target
    from paydrill.topology import Topology

SCHEMA = "paydrill/plan/1"

# What a PSP does on an ordinary day; every other behaviour is a fault of its own.
ORDINARY_PSP = ("approve", "decline")
SCARCE = "hot"
"""The tag of products of which a target has far too few."""


@dataclass(frozen=True)
class Segment:
    """Arrivals at `rate_per_s` from `at_s` (inclusive) to `end_s` (exclusive), after the load began."""

    at_s: float
    end_s: float
    rate_per_s: float


@dataclass(frozen=True)
class Crowd:
    """Customers of one class besides the mix, from `at_s` to `end_s`: each wants `units` of one product."""

    at_s: float
    end_s: float
    rate_per_s: float
    cls: str
    sku: str
    units: int


@dataclass(frozen=True)
class Herd:
    """So many of the mix arrive at one instant, besides the others."""

    at_s: float
    customers: int


@dataclass(frozen=True)
class PlannedFault:
    """One fault with the places that it hits. `fields` are the fault's own, as in the scenario.

    With `when` nobody knows the time: `at_s` is the earliest begin and `end_s` the latest end.
    """

    id: int
    name: str
    at_s: float
    end_s: float
    fields: Mapping[str, object]
    places: tuple[str, ...]
    when: When | None = None

    def begun(self, now_s: float) -> PlannedFault:
        """The same with the times that it has once its event has come."""
        if self.when is None:
            return self
        for_s = self.end_s - self.when.before_s
        return replace(self, at_s=now_s, end_s=round(now_s + for_s, 6), when=None)


@dataclass(frozen=True)
class PlannedLoad:
    """What the load child needs besides the target's client description.

    left_out: traffic classes of the scenario that the target does not offer; they are not in `mix`
    """

    segments: tuple[Segment, ...]
    mix: Mapping[str, float]
    max_in_flight: int
    left_out: tuple[str, ...] = ()
    crowds: tuple[Crowd, ...] = ()
    herds: tuple[Herd, ...] = ()

    @property
    def duration_s(self) -> float:
        return max(segment.end_s for segment in self.segments)

    @property
    def classes(self) -> tuple[str, ...]:
        """Every traffic class that comes."""
        return tuple(sorted({*self.mix, *(crowd.cls for crowd in self.crowds)}))


@dataclass(frozen=True)
class Plan:
    """`psp` maps a PSP behaviour to its share of operations (0…1)."""

    scenario: str
    topology: str
    target: str
    seed: int
    load: PlannedLoad
    faults: tuple[PlannedFault, ...]
    psp: Mapping[str, float]
    timing: Mapping[str, float]
    abort_if: tuple[AbortIf, ...] = ()


def make_plan(
    scenario: Scenario, topology: Topology, target: Target, seed: int, left_out: Collection[str] = ()
) -> Plan:
    """Resolve a scenario, without the traffic classes `left_out`.

    Raises UnknownPlace when a fault names what the topology does not have.
    """
    mix = {name: weight for name, weight in scenario.load.mix.items() if name not in left_out}
    return Plan(
        scenario=scenario.name,
        topology=topology.name,
        target=target.name,
        seed=seed,
        load=PlannedLoad(
            segments=segments_of(scenario.load, scenario.timeline),
            mix=_by_name(mix),
            max_in_flight=scenario.load.max_in_flight,
            left_out=tuple(sorted(left_out)),
            crowds=crowds_of(scenario.load, scenario.timeline, target, seed),
            herds=herds_of(scenario.load, scenario.timeline),
        ),
        faults=_planned_faults(scenario.timeline, topology),
        psp=_by_name(scenario.psp),
        timing=_by_name({**dataclasses.asdict(target.timing), **scenario.timing}),
        abort_if=scenario.abort_if,
    )


def without_faults(scenario: Scenario) -> Scenario:
    """The control's scenario: no fault, no extra load, a PSP that only approves and declines."""
    psp = {name: share for name, share in scenario.psp.items() if name in ORDINARY_PSP}
    return replace(scenario, timeline=(), psp=psp)


def segments_of(load: Load, steps: Iterable[Step]) -> tuple[Segment, ...]:
    """The load's rate over its whole length, with the rates of each spike in place of it while it is on.

    The segments join without gap from 0 to the load's duration; neighbours differ in rate.
    """
    spikes = [span for shaped in _shaped(load, steps) for span in shaped.spans()]
    edges = {0.0, load.duration_s}
    edges.update(t for at_s, end_s, _ in spikes for t in (at_s, end_s) if 0 < t < load.duration_s)
    times = sorted(edges)
    segments: list[Segment] = []
    for at_s, end_s in pairwise(times):
        rate = next((rate for start, end, rate in spikes if start <= at_s < end), load.rate_per_s)
        if segments and segments[-1].rate_per_s == rate:
            segments[-1] = replace(segments[-1], end_s=end_s)
        else:
            segments.append(Segment(at_s, end_s, rate))
    return tuple(segments)


def crowds_of(load: Load, steps: Iterable[Step], target: Target, seed: int) -> tuple[Crowd, ...]:
    """The crowds of all steps, by their begin; each on one product that the target has too few of.

    A target that says of no product that it is scarce has one of its others run on.
    """
    shaped = [one for one in _shaped(load, steps) if one.shape.crowd_per_s > 0]
    products = [str(row["sku"]) for row in target.catalogue if "sku" in row]
    scarce = [str(row["sku"]) for row in target.catalogue if SCARCE in cast("Any", row.get("tags", ()))]
    if shaped and not products:
        raise UsageError(f"{target.name} has nothing in its catalogue that a crowd could want")
    crowds = [
        Crowd(
            one.at_s,
            one.end_s,
            one.shape.crowd_per_s,
            one.shape.crowd_of,
            Random(f"{seed}:crowd:{number}").choice(scarce or products),
            one.shape.crowd_units,
        )
        for number, one in enumerate(shaped)
    ]
    return tuple(sorted(crowds, key=lambda crowd: crowd.at_s))


def herds_of(load: Load, steps: Iterable[Step]) -> tuple[Herd, ...]:
    """The herds of all steps, by their time."""
    herds = [
        Herd(_time(one.at_s + after_s), customers)
        for one in _shaped(load, steps)
        for after_s, customers in one.shape.herds
        if one.at_s + after_s < one.end_s
    ]
    return tuple(sorted(herds, key=lambda herd: herd.at_s))


def fault_of(planned: PlannedFault, known: Mapping[str, type[Fault]]) -> Fault:
    """The fault itself again. Raises UsageError when this version does not know it any more."""
    fault = known.get(planned.name)
    if fault is None:
        raise UsageError(f"the plan has the fault {planned.name!r}, which this version does not know")
    try:
        return cast("Fault", cast("Any", fault)(**planned.fields))
    except (TypeError, ValueError) as error:
        raise UsageError(f"the plan's fault {planned.name!r} does not fit this version: {error}") from error


def plan_to_json(plan: Plan) -> bytes:
    """Indented JSON with a newline at its end; the same plan gives the same bytes."""
    document = {
        "schema": SCHEMA,
        "scenario": plan.scenario,
        "topology": plan.topology,
        "target": plan.target,
        "seed": plan.seed,
        "load": {
            "segments": [
                {"at_s": one.at_s, "end_s": one.end_s, "rate_per_s": one.rate_per_s}
                for one in plan.load.segments
            ],
            "mix": _by_name(plan.load.mix),
            "max_in_flight": plan.load.max_in_flight,
            "left_out": list(plan.load.left_out),
            "crowds": [dataclasses.asdict(one) for one in plan.load.crowds],
            "herds": [dataclasses.asdict(one) for one in plan.load.herds],
        },
        "faults": [_fault_to_json(one) for one in plan.faults],
        "psp": _by_name(plan.psp),
        "timing": _by_name(plan.timing),
    }
    if plan.abort_if:
        document["abort_if"] = [
            {**condition_to_json(one.condition), "after_s": one.after_s} for one in plan.abort_if
        ]
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def plan_from_json(data: bytes) -> Plan:
    """Raises UsageError when the bytes are no plan of this version."""
    try:
        document = orjson.loads(data)
        if document["schema"] != SCHEMA:
            raise UsageError(f"the plan is of schema {document['schema']!r}, expected {SCHEMA!r}")
        return _plan(document)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"not a plan: {type(error).__name__}: {error}") from error


def _planned_faults(steps: Iterable[Step], topology: Topology) -> tuple[PlannedFault, ...]:
    found = [
        PlannedFault(
            0,
            step.fault.name,
            step.at_s,
            step.end_s,
            _fields(step.fault),
            step.fault.places(topology),
            step.when,
        )
        for step in steps
    ]
    # Python sorts stably: what begins together stays in the order of the file.
    found.sort(key=lambda fault: fault.at_s)
    return tuple(replace(fault, id=number) for number, fault in enumerate(found, start=1))


@dataclass(frozen=True)
class _Shaped:
    """What one step makes of the arrivals, and when."""

    at_s: float
    end_s: float
    shape: Shape

    def spans(self) -> Iterator[tuple[float, float, float]]:
        """(from, to, rate), without gap."""
        times = [_time(self.at_s + after_s) for after_s, _ in self.shape.rates] + [self.end_s]
        for (at_s, end_s), (_, rate) in zip(pairwise(times), self.shape.rates, strict=True):
            yield at_s, end_s, rate


def _shaped(load: Load, steps: Iterable[Step]) -> list[_Shaped]:
    return [
        _Shaped(step.at_s, _end(step), step.fault.shape(load.rate_per_s, step.for_s))
        for step in steps
        if isinstance(step.fault, ShapesLoad)
    ]


def _end(step: Step) -> float:
    return _time(step.at_s + step.for_s)


def _time(seconds: float) -> float:
    """To the microsecond, as it stands in the plan."""
    return round(seconds, 6)


def _fields(fault: Fault) -> Mapping[str, object]:
    named = cast("Any", fault)
    return {field.name: getattr(named, field.name) for field in dataclasses.fields(named) if field.init}


def _plan(document: Mapping[str, Any]) -> Plan:
    load = document["load"]
    segments = tuple(
        Segment(float(one["at_s"]), float(one["end_s"]), float(one["rate_per_s"])) for one in load["segments"]
    )
    if not segments:
        raise ValueError("the load has no segment")
    return Plan(
        scenario=str(document["scenario"]),
        topology=str(document["topology"]),
        target=str(document["target"]),
        seed=int(document["seed"]),
        load=PlannedLoad(
            segments,
            _numbers(load["mix"]),
            int(load["max_in_flight"]),
            tuple(str(name) for name in load.get("left_out", ())),
            tuple(Crowd(**one) for one in load.get("crowds", ())),
            tuple(Herd(**one) for one in load.get("herds", ())),
        ),
        faults=tuple(_fault(one) for one in document["faults"]),
        psp=_numbers(document["psp"]),
        timing=dict(document["timing"]),
        abort_if=tuple(
            AbortIf(condition_from_json(one), float(one["after_s"])) for one in document.get("abort_if", ())
        ),
    )


def _fault(one: Mapping[str, Any]) -> PlannedFault:
    return PlannedFault(
        id=int(one["id"]),
        name=str(one["name"]),
        at_s=float(one["at_s"]),
        end_s=float(one["end_s"]),
        fields=dict(one["fields"]),
        places=tuple(str(place) for place in one["places"]),
        when=when_from_json(one["when"]) if "when" in one else None,
    )


def _fault_to_json(one: PlannedFault) -> dict[str, object]:
    """A fault without an event to wait for has no key `when`."""
    plain = {
        "id": one.id,
        "name": one.name,
        "at_s": one.at_s,
        "end_s": one.end_s,
        "fields": _by_name(one.fields),
        "places": list(one.places),
    }
    return plain if one.when is None else {**plain, "when": when_to_json(one.when)}


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in values.items()}


def _by_name(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in sorted(values)}
