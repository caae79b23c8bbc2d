"""timeline.jsonl and plan.json's faults -> Timeline and FaultFacts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from paydrill.guards.facts import Aborted, Died, FaultFact, Freeze, StartedAnew, Timeline
from paydrill.guards.lines import (
    Line,
    LineCount,
    boolean,
    integer,
    json_lines,
    mapping,
    number,
    rows,
    text,
    texts,
)
from paydrill.topology import PSP


@dataclass
class _Reading:
    faults: dict[int, FaultFact]
    phases: dict[str, int] = field(default_factory=dict)
    died: list[Died] = field(default_factory=list)
    started_anew: list[StartedAnew] = field(default_factory=list)
    aborted: list[Aborted] = field(default_factory=list)
    restarts: list[str] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)
    settled: Line = field(default_factory=dict)
    freezes: dict[str, Freeze] = field(default_factory=dict)
    load_end_ns: int | None = None

    def worst(self, name: str, value: float | None) -> None:
        if value is not None:
            self.numbers[name] = max(value, self.numbers.get(name, value))


def read_timeline(path: Path, plan: Line) -> tuple[Timeline, tuple[FaultFact, ...]]:
    """The conductor's log, and every fault of the plan with what became of it."""
    reading = _Reading(faults={fault.id: fault for fault in _planned(plan)})
    count = LineCount()
    first_ns = last_ns = None
    for line in json_lines(path, count):
        t_ns = integer(line, "t")
        if t_ns is not None:
            first_ns = t_ns if first_ns is None else min(first_ns, t_ns)
            last_ns = t_ns if last_ns is None else max(last_ns, t_ns)
            _take(line, t_ns, reading)
    timeline = Timeline(
        lines=count.lines,
        bad=count.bad,
        phases=reading.phases,
        first_ns=first_ns,
        last_ns=last_ns,
        load_end_ns=reading.load_end_ns,
        lag_p99_ms=reading.numbers.get("lag_p99_ms"),
        settled_waited_s=number(reading.settled, "waited_s"),
        settled_in_time=boolean(reading.settled, "in_time"),
        freezes=reading.freezes,
        died=tuple(reading.died),
        started_anew=tuple(reading.started_anew),
        aborted=tuple(reading.aborted),
        restarts=tuple(reading.restarts),
        steal_pct=reading.numbers.get("steal_pct"),
        suspended_s=reading.numbers.get("suspended_s"),
        full_s=reading.numbers.get("full_s"),
    )
    return timeline, tuple(reading.faults.values())


def _planned(plan: Line) -> list[FaultFact]:
    return [
        FaultFact(
            id=integer(row, "id") or 0,
            name=text(row, "name"),
            where=texts(row, "places"),
            fields=mapping(row, "fields"),
            planned_at_s=number(row, "at_s") or 0.0,
            planned_end_s=number(row, "end_s") or 0.0,
        )
        for row in rows(plan, "faults")
    ]


def _take(line: Line, t_ns: int, reading: _Reading) -> None:
    kind = text(line, "kind")
    if kind == "phase":
        # `t0`: the load begins a moment after its phase was announced.
        reading.phases.setdefault(text(line, "name"), integer(line, "t0") or t_ns)
    elif kind in ("fault", "witness", "heal", "counters", "unfired", "released"):
        _take_fault(kind, line, t_ns, reading.faults)
    elif kind == "load_end":
        reading.load_end_ns = t_ns
        reading.worst("lag_p99_ms", number(line, "lag_p99_ms"))
    elif kind == "settled":
        reading.settled = line
    elif kind == "psp_freeze":
        reading.freezes[text(line, "name", PSP)] = Freeze(integer(line, "n"), text(line, "head"))
    elif kind == "instrument_died":
        reading.died.append(Died(text(line, "name", "?"), text(line, "detail")))
    elif kind == "instrument_restarted":
        reading.started_anew.append(StartedAnew(text(line, "name", "?"), text(line, "detail")))
    elif kind == "aborted":
        reading.aborted.append(Aborted(text(line, "code"), text(line, "detail")))
    elif kind == "restart":
        reading.restarts += [] if boolean(line, "planned") else [text(line, "node", "?")]
    elif kind == "host":
        for name in ("steal_pct", "suspended_s", "full_s"):
            reading.worst(name, number(line, name))


def _take_fault(kind: str, line: Line, t_ns: int, faults: dict[int, FaultFact]) -> None:
    fault_id = integer(line, "id")
    if fault_id is None:
        return
    fault = faults.get(fault_id) or FaultFact(fault_id, text(line, "name"), (), {}, 0.0, 0.0)
    if kind == "fault":
        where = texts(line, "where") or fault.where
        fault = replace(
            fault,
            start_ns=t_ns,
            expects=text(line, "expects"),
            carries=text(line, "carries", "bytes"),
            where=where,
        )
    elif kind == "witness":
        fault = _witnessed(fault, line)
    elif kind == "heal":
        fault = replace(fault, heal_ns=t_ns, clean=boolean(line, "clean"), heal_detail=text(line, "detail"))
    elif kind == "unfired":
        fault = replace(fault, witness_detail=text(line, "detail"))
    elif kind == "released":
        fault = replace(fault, too_late="" if boolean(line, "in_time") else text(line, "detail"))
    else:
        fault = _counted(fault, line)
    faults[fault_id] = fault


def _witnessed(fault: FaultFact, line: Line) -> FaultFact:
    """One clear sight is enough; a later look that saw nothing does not take it away."""
    seen = boolean(line, "witnessed") is True
    own = number(mapping(line, "measured"), "probe_bytes_per_edge") or 0.0
    fault = replace(fault, probe_bytes=fault.probe_bytes + int(own))
    if fault.witnessed and not seen:
        return fault
    return replace(fault, witnessed=seen, witness_detail=text(line, "detail"))


def _counted(fault: FaultFact, line: Line) -> FaultFact:
    """Adds up both ways of all edges of the fault."""
    moved = (integer(line, "received") or 0) + (integer(line, "sent") or 0)
    if text(line, "when") == "before":
        return replace(fault, bytes_before=moved + (fault.bytes_before or 0))
    return replace(fault, bytes_after=moved + (fault.bytes_after or 0))
