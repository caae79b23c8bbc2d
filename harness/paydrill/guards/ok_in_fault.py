"""While a fault is on, as many writes are answered ok as the fault says must still be possible.

A scenario whose faults leave less possible together, or break the only node of a kind, says so by
`expect.min_ok_in_fault`. What was sent meanwhile and what was ok before and after is asked for even so.
"""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.counting import invoked_during
from paydrill.guards.facts import WRITES, FaultFact, RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "ok_in_fault"
LEAST_SHARE = {"most": 0.5}


def check(facts: RunFacts) -> GuardResult:
    problems = [problem for fault in facts.faults if (problem := _problem(fault, facts))]
    return all_of(
        NAME, codes.TOO_FEW_OK_IN_FAULT, problems, "as many answers during each fault as it leaves possible"
    )


def _problem(fault: FaultFact, facts: RunFacts) -> str:
    if fault.start_ns is None:
        return ""
    writes = [op for op in invoked_during(facts.history.ops, fault) if op.kind in WRITES]
    ok = sum(op.outcome == "ok" for op in writes)
    needed = facts.expect.min_ok_in_fault
    if needed is None:
        needed = _least(fault, len(writes))
    if ok >= needed:
        return ""
    return f"{ok} of {len(writes)} writes ok during {fault.title}, at least {needed} expected"


def _least(fault: FaultFact, writes: int) -> int:
    """By the fault's own word."""
    if fault.expects not in ("some", "most"):
        return 0
    return max(1, int(LEAST_SHARE.get(fault.expects, 0.0) * writes))
