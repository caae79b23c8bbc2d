"""Service levels: how well customers were served while things broke (pure).

All are counted over checkouts, from the time at which they were due, so that a stall cannot hide the
customers that it kept waiting. One that was dropped counts as worse than any answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from paydrill.guards.facts import OpFact, RunFacts
from paydrill.units import BadUnit, Bound, parse_bound, parse_duration
from paydrill.verdict import SloResult

Measure = Callable[[RunFacts], float | None]
DEFINITE = ("ok", "fail")


def judge_slos(facts: RunFacts) -> tuple[SloResult, ...]:
    """One result for each bound of the scenario."""
    return tuple(_judge(name, text, facts) for name, text in facts.expect.slo.items())


def _judge(name: str, text: str, facts: RunFacts) -> SloResult:
    measure, bound = MEASURES.get(name), _bound(text)
    measured = measure(facts) if measure else None
    if measured is None or bound is None:
        shown = None if measured is None or math.isinf(measured) else measured
        return SloResult(name, "inconclusive", text, shown)
    if math.isinf(measured):
        return SloResult(name, "fail", text, None)
    rounded = round(measured, 4)
    return SloResult(name, "pass" if bound.holds(measured) else "fail", text, rounded)


def _bound(text: str) -> Bound | None:
    """`>= 0.90`, `< 800` or, with a unit, `< 800ms`; None when it is neither."""
    try:
        return parse_bound(text)
    except BadUnit:
        pass
    limit = text.strip().lstrip("<>=")
    try:
        milliseconds = parse_duration(limit.strip()) * 1000
    except BadUnit:
        return None
    comparison = text.strip()[: len(text.strip()) - len(limit)]
    return Bound(comparison, milliseconds) if comparison in (">=", "<=", ">", "<") else None


def availability(facts: RunFacts) -> float | None:
    """Share of checkouts with a definite answer (or 202) within `client_s` of the time they were due."""
    checkouts = facts.history.checkouts
    if not checkouts:
        return None
    in_time_ns = int(facts.timing.client_s * 1e9)
    answered = _first_answers(facts.history.ops)
    served = 0
    for intent in checkouts:
        answer_ns = answered.get(intent.intent)
        served += answer_ns is not None and answer_ns - intent.due_ns <= in_time_ns
    return served / len(checkouts)


def _first_answers(ops: Iterable[OpFact]) -> Mapping[int, int]:
    """When each intent first got its answer: of its payment, or a definite no to its order."""
    first: dict[int, int] = {}
    for op in ops:
        answers = (
            op.outcome in DEFINITE if op.kind == "pay" else (op.kind == "create" and op.outcome == "fail")
        )
        if answers and op.ret_ns is not None:
            first[op.intent] = min(op.ret_ns, first.get(op.intent, op.ret_ns))
    return first


def ok_ratio(facts: RunFacts) -> float | None:
    """Share of checkouts that ended ok."""
    checkouts = facts.history.checkouts
    if not checkouts:
        return None
    return sum(intent.outcome == "ok" for intent in checkouts) / len(checkouts)


def _latency_percentile(share: float) -> Measure:
    """Milliseconds from due to answer of create and pay; a drop is infinite, a time-out what it lasted."""

    def measure(facts: RunFacts) -> float | None:
        waits = [
            (op.ret_ns - op.due_ns) / 1e6 if op.ret_ns is not None else math.inf
            for op in facts.history.ops
            if op.kind in ("create", "pay")
        ]
        waits += [math.inf for intent in facts.history.checkouts if intent.outcome == "dropped"]
        return percentile(waits, share)

    return measure


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least `share` of all values do not exceed; None without values."""
    ranked = sorted(values)
    if not ranked:
        return None
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


MEASURES: Mapping[str, Measure] = {
    "availability": availability,
    "ok_ratio": ok_ratio,
    "p95_ms": _latency_percentile(0.95),
    "p99_ms": _latency_percentile(0.99),
}
