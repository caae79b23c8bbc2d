"""Every fault was healed, and its absence was read back."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "faults_healed"


def check(facts: RunFacts) -> GuardResult:
    problems = []
    for fault in facts.faults:
        if fault.start_ns is None:
            continue
        if fault.heal_ns is None:
            problems.append(f"{fault.title} was never healed")
        elif fault.clean is not True:
            left = fault.heal_detail or "what was left was not read back"
            problems.append(f"{fault.title} was not healed clean: {left}")
    return all_of(NAME, codes.FAULT_NOT_HEALED, problems, "each fault healed and read back")
