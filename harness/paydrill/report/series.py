"""Load over time for a chart (pure): arrivals, answers and waiting, per bin of whole seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from paydrill.guards.facts import RunFacts
from paydrill.slo import percentile

MAX_BINS = 180


@dataclass(frozen=True)
class Bin:
    """Checkouts of one span of time. Rates per second; waits in milliseconds, None without an answer."""

    from_s: float
    arrivals_per_s: float
    ok_per_s: float
    not_ok_per_s: float
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class Band:
    """A fault on the time axis, seconds after the load began."""

    label: str
    from_s: float
    to_s: float
    witnessed: bool


@dataclass(frozen=True)
class Series:
    bin_s: float
    end_s: float
    bins: tuple[Bin, ...]
    bands: tuple[Band, ...]


def series_of(facts: RunFacts) -> Series:
    """Empty bins when no load was recorded."""
    start_ns, load_s = facts.load_start_ns, facts.load_s
    if start_ns is None or not load_s:
        return Series(1.0, 0.0, (), ())
    bin_s = float(max(1, math.ceil(load_s / MAX_BINS)))
    count = max(1, math.ceil(load_s / bin_s))
    arrivals, ok, not_ok = [0] * count, [0] * count, [0] * count
    waits: list[list[float]] = [[] for _ in range(count)]
    for intent in facts.history.checkouts:
        arrivals[_bin(intent.due_ns, start_ns, bin_s, count)] += 1
    for op in facts.history.ops:
        if op.kind == "pay" and op.ret_ns is not None:
            tally = ok if op.outcome == "ok" else not_ok
            tally[_bin(op.ret_ns, start_ns, bin_s, count)] += 1
            waits[_bin(op.due_ns, start_ns, bin_s, count)].append((op.ret_ns - op.due_ns) / 1e6)
    bins = tuple(
        Bin(
            i * bin_s,
            arrivals[i] / bin_s,
            ok[i] / bin_s,
            not_ok[i] / bin_s,
            percentile(waits[i], 0.5),
            percentile(waits[i], 0.99),
        )
        for i in range(count)
    )
    return Series(bin_s, load_s, bins, _bands(facts, load_s))


def _bin(t_ns: int, start_ns: int, bin_s: float, count: int) -> int:
    return min(count - 1, max(0, int((t_ns - start_ns) / 1e9 / bin_s)))


def _bands(facts: RunFacts, load_s: float) -> tuple[Band, ...]:
    found = []
    for fault in facts.faults:
        if fault.start_ns is None:
            continue
        from_s = min(load_s, max(0.0, facts.seconds(fault.start_ns)))
        to_s = load_s if fault.heal_ns is None else min(load_s, facts.seconds(fault.heal_ns))
        found.append(Band(fault.name, from_s, max(from_s, to_s), fault.witnessed))
    return tuple(found)
