"""Enough operations were in flight during each fault to be hit by it."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.counting import ops_during
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "ops_in_fault"


def check(facts: RunFacts) -> GuardResult:
    floor, problems = facts.expect.min_ops_in_fault, []
    for fault in facts.faults:
        ops = len(ops_during(facts.history.ops, fault))
        if fault.start_ns is not None and ops < floor:
            problems.append(f"{ops} operations overlap {fault.title}, at least {floor} must")
    return all_of(
        NAME, codes.TOO_FEW_OPS_IN_FAULT, problems, f"at least {floor} operations overlap each fault"
    )
