"""The machine kept up: otherwise times say more about it than about the target.

Only what is judged by the clock suffers (latency SLOs and the rules of `TIMED_INVARIANTS`); who was
charged how often is true on a slow machine too.
"""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "host_fit"
LAG_P99_LIMIT_MS = 250.0
STEAL_LIMIT_PCT = 30.0
SUSPENDED_LIMIT_S = 1.0
TIMED_INVARIANTS = frozenset({"I-15", "I-24", "I-39", "I-40"})


def check(facts: RunFacts) -> GuardResult:
    timeline = facts.timeline
    lags = [lag for lag in (timeline.lag_p99_ms, facts.history.lag_p99_ms) if lag is not None]
    lag_ms = max(lags, default=0.0)
    problems = []
    if lag_ms > LAG_P99_LIMIT_MS:
        problems.append(f"p99 of arrivals was {lag_ms:.0f} ms late (limit {LAG_P99_LIMIT_MS:.0f})")
    if (timeline.steal_pct or 0.0) > STEAL_LIMIT_PCT:
        problems.append(
            f"{timeline.steal_pct:.0f} % of the processor was stolen (limit {STEAL_LIMIT_PCT:.0f})"
        )
    if (timeline.suspended_s or 0.0) > SUSPENDED_LIMIT_S:
        problems.append(f"the machine was suspended or its clock stepped by {timeline.suspended_s:.1f} s")
    return all_of(NAME, codes.HOST_UNFIT, problems, f"p99 of arrivals {lag_ms:.0f} ms late")
