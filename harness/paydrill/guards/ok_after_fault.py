"""After each fault the system works again, and the load was still there to see it."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.counting import ok_payments
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "ok_after_fault"


def check(facts: RunFacts) -> GuardResult:
    floor, problems = facts.expect.min_ok, []
    for fault in facts.faults:
        if fault.heal_ns is None:
            continue  # faults_healed tells that it was never healed
        paid = len(ok_payments(facts.history.ops, invoked_from_ns=fault.heal_ns))
        if paid < floor:
            problems.append(f"{paid} checkouts ok after {fault.title}, at least {floor} must be")
    return all_of(NAME, codes.TOO_FEW_OK_AFTER, problems, f"at least {floor} checkouts ok after each fault")
