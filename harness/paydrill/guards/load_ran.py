"""Customers came, and the system served them at all."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.counting import ok_payments
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import held, tripped
from paydrill.verdict import GuardResult

NAME = "load_ran"


def check(facts: RunFacts) -> GuardResult:
    ops = len(facts.history.ops)
    if not ops:
        return tripped(NAME, codes.LOAD_NEVER_RAN, "no client operation was recorded")
    if not any(op.outcome == "ok" for op in facts.history.ops):
        return tripped(NAME, codes.LOAD_NEVER_RAN, f"none of {ops} operations was answered ok")
    paid = len(ok_payments(facts.history.ops))
    floor = facts.expect.min_ok
    if not facts.faults and paid < floor:
        detail = f"{paid} checkouts were answered ok, at least {floor} must be"
        return tripped(NAME, codes.TOO_FEW_OK_BEFORE, detail)
    return held(NAME, f"{ops} operations, {paid} checkouts answered ok")
