"""Every fault of the plan came into force, and its effect was seen."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "faults_witnessed"


def check(facts: RunFacts) -> GuardResult:
    problems = []
    for fault in facts.faults:
        if fault.start_ns is None:
            why = f": {fault.witness_detail}" if fault.witness_detail else ""
            problems.append(f"{fault.title} never came into force{why}")
        elif fault.too_late:
            problems.append(f"{fault.title} came too late: {fault.too_late}")
        elif not fault.witnessed:
            saw = fault.witness_detail or "nobody looked"
            problems.append(f"{fault.title} was not seen to take effect: {saw}")
    return all_of(NAME, codes.FAULT_UNWITNESSED, problems, f"{len(facts.faults)} faults, each one seen")
