"""How fast the service came back (pure): None = not measured, 0 = measured none."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from paydrill.guards.facts import FaultFact, RunFacts
from paydrill.verdict import Recovery

WINDOW_NS = 1_000_000_000
STEP_NS = 100_000_000
BACK_SHARE = 0.8
LEAST_BASELINE_PER_S = 5.0


def measure_recovery(facts: RunFacts) -> Recovery:
    """`rto_s` is the slowest of all faults; data loss and detection need evidence of their own."""
    waits = [wait for fault in facts.faults if (wait := _rto_s(facts, fault)) is not None]
    complete = len(waits) == len(facts.faults) and bool(waits)
    return Recovery(
        rto_s=round(max(waits), 3) if complete else None,
        settle_s=facts.timeline.settled_waited_s,
    )


def _rto_s(facts: RunFacts, fault: FaultFact) -> float | None:
    """Seconds until a second of ok answers reaches 80 % of what was usual before the first fault.

    A kill counts from the injection (the redundancy should carry it), any other fault from its healing.
    None when the baseline is too thin, or the load ended before the service was back.
    """
    start_ns, end_ns = _load_interval(facts)
    if fault.start_ns is None or fault.heal_ns is None or start_ns is None or end_ns is None:
        return None
    oks = sorted(
        op.ret_ns
        for op in facts.history.ops
        if op.kind == "pay" and op.outcome == "ok" and op.ret_ns is not None
    )
    baseline_per_s = _baseline_per_s(facts, oks, start_ns)
    if baseline_per_s < LEAST_BASELINE_PER_S:
        return None
    needed = BACK_SHARE * baseline_per_s * WINDOW_NS / 1e9
    if fault.name == "kill":
        return _from_injection_s(oks, fault.start_ns, fault.heal_ns, end_ns, needed)
    back_ns = _first_good(oks, fault.heal_ns, end_ns, needed)
    return None if back_ns is None else (back_ns - fault.heal_ns) / 1e9


def _load_interval(facts: RunFacts) -> tuple[int | None, int | None]:
    start_ns, load_s = facts.load_start_ns, facts.load_s
    if start_ns is None or load_s is None:
        return None, None
    return start_ns, start_ns + int(load_s * 1e9)


def _baseline_per_s(facts: RunFacts, oks: Sequence[int], start_ns: int) -> float:
    """Ok payments per second from the first one to the first fault."""
    starts = [fault.start_ns for fault in facts.faults if fault.start_ns is not None]
    if not starts or not oks or min(starts) <= oks[0]:
        return 0.0
    # The very first answers come a moment after the load began; that moment is no outage.
    from_ns, to_ns = max(start_ns, oks[0]), min(starts)
    return _count(oks, from_ns, to_ns) * 1e9 / (to_ns - from_ns)


def _from_injection_s(
    oks: Sequence[int], start_ns: int, heal_ns: int, end_ns: int, needed: float
) -> float | None:
    """0 when no second between kill and restart was bad; else until the first good one after a bad one."""
    for bad_ns in range(start_ns, max(start_ns + 1, min(heal_ns, end_ns - WINDOW_NS)), STEP_NS):
        if _count(oks, bad_ns, bad_ns + WINDOW_NS) < needed:
            back_ns = _first_good(oks, bad_ns, end_ns, needed)
            return None if back_ns is None else (back_ns - start_ns) / 1e9
    return 0.0


def _first_good(oks: Sequence[int], from_ns: int, end_ns: int, needed: float) -> int | None:
    """Begin of the first second in [from, end) with enough ok answers."""
    for t_ns in range(from_ns, end_ns - WINDOW_NS + 1, STEP_NS):
        if _count(oks, t_ns, t_ns + WINDOW_NS) >= needed:
            return t_ns
    return None


def _count(oks: Sequence[int], from_ns: int, to_ns: int) -> int:
    return bisect_right(oks, to_ns - 1) - bisect_left(oks, from_ns)
