"""Before each fault the system worked: otherwise the fault broke nothing."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.counting import ok_payments
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "ok_before_fault"


def check(facts: RunFacts) -> GuardResult:
    floor, problems = facts.expect.min_ok, []
    for fault in facts.faults:
        if fault.start_ns is None:
            continue  # faults_witnessed tells that it never came
        paid = len(ok_payments(facts.history.ops, returned_before_ns=fault.start_ns))
        if paid < floor:
            problems.append(f"{paid} checkouts ok before {fault.title}, at least {floor} must be")
    return all_of(NAME, codes.TOO_FEW_OK_BEFORE, problems, f"at least {floor} checkouts ok before each fault")
