"""The drill reached its end: it was not aborted, not interrupted, and all evidence was collected."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import Aborted, RunFacts
from paydrill.guards.results import held, tripped
from paydrill.verdict import GuardResult

NAME = "drill_complete"


def check(facts: RunFacts) -> GuardResult:
    timeline = facts.timeline
    if timeline.aborted:
        code, detail = _why(timeline.aborted[0])
        return tripped(NAME, code, detail)
    if timeline.reached("collected"):
        return held(NAME, "all evidence was collected")
    last = max(timeline.phases, key=lambda name: timeline.phases[name], default=None)
    where = f"it ended while {last}" if last else "it ended before anything was started"
    return tripped(NAME, codes.INTERRUPTED, f"the drill did not reach its end: {where}")


def _why(aborted: Aborted) -> tuple[str, str]:
    """A code of ours stays what it is; any other is only told."""
    if aborted.code in codes.KNOWN:
        return aborted.code, aborted.detail or "the drill was aborted"
    return codes.ABORTED, f"the drill was aborted: {aborted.code} {aborted.detail}".strip()
