"""The machine kept up: otherwise times say more about it than about the target.

Only what is judged by the clock suffers: latency SLOs and the rules of `TIMED_INVARIANTS`. A slow machine
makes waits longer, never shorter, so what was in time on it was in time, and what was late proves nothing.
Who was charged how often is true on a slow machine too.

Full processors make service levels doubtful and nothing else: a deadline leaves time for the load to end,
and the processors with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import held, tripped
from paydrill.verdict import GuardResult, InvariantResult, SloResult

NAME = "host_fit"
LAG_P99_LIMIT_MS = 250.0
STEAL_LIMIT_PCT = 30.0
SUSPENDED_LIMIT_S = 1.0
FULL_LIMIT_S = 3.0
TIMED_INVARIANTS = frozenset({"I-15", "I-24", "I-39", "I-40"})
TIMED_SLOS = frozenset({"availability", "p95_ms", "p99_ms"})


def check(facts: RunFacts) -> GuardResult:
    slow, full = host_problems(facts), full_processors(facts)
    problems = [*slow, *full]
    if not problems:
        return held(NAME, f"p99 of arrivals {_lag_ms(facts):.0f} ms late")
    late = [r.id for r in facts.results if slow and r.id in TIMED_INVARIANTS and r.verdict == "inconclusive"]
    late += [s.name for s in facts.slos if s.name in TIMED_SLOS and s.verdict == "inconclusive"]
    if late:
        return tripped(
            NAME, codes.HOST_UNFIT, f"{'; '.join(problems)}; so this proves nothing: {', '.join(late)}"
        )
    return held(NAME, f"{'; '.join(problems)}; all that is judged by the clock was in time even so")


def host_problems(facts: RunFacts) -> list[str]:
    """In what way the machine did not keep up; empty when it did."""
    timeline, lag_ms = facts.timeline, _lag_ms(facts)
    problems = []
    if lag_ms > LAG_P99_LIMIT_MS:
        problems.append(f"p99 of arrivals was {lag_ms:.0f} ms late (limit {LAG_P99_LIMIT_MS:.0f})")
    if (timeline.steal_pct or 0.0) > STEAL_LIMIT_PCT:
        problems.append(
            f"{timeline.steal_pct:.0f} % of the processor was stolen (limit {STEAL_LIMIT_PCT:.0f})"
        )
    if (timeline.suspended_s or 0.0) > SUSPENDED_LIMIT_S:
        problems.append(f"the machine was suspended or its clock stepped by {timeline.suspended_s:.1f} s")
    return problems


def full_processors(facts: RunFacts) -> list[str]:
    """That there was no processor time left for long; empty when there was."""
    full_s = facts.timeline.full_s or 0.0
    if full_s <= FULL_LIMIT_S:
        return []
    return [
        f"all processors of this machine were full for {full_s:.0f} s of the load (limit {FULL_LIMIT_S:.0f})"
    ]


def doubt_late_invariants(results: Sequence[InvariantResult]) -> tuple[InvariantResult, ...]:
    """On a host that did not keep up: what broke a deadline is undecided; everything else stays."""
    return tuple(
        replace(result, verdict="inconclusive", detail=f"{codes.HOST_UNFIT}: {result.detail}")
        if result.id in TIMED_INVARIANTS and result.verdict == "fail"
        else result
        for result in results
    )


def doubt_late_slos(slos: Sequence[SloResult]) -> tuple[SloResult, ...]:
    """The same for service levels."""
    return tuple(
        replace(slo, verdict="inconclusive") if slo.name in TIMED_SLOS and slo.verdict == "fail" else slo
        for slo in slos
    )


def _lag_ms(facts: RunFacts) -> float:
    return max(facts.timeline.lag_p99_ms or 0.0, facts.history.lag_p99_ms or 0.0)
