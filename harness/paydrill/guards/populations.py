"""Something was examined: a rule over nobody passes always.

An invariant that the scenario names must have had subjects. With `all`, one that could not be
examined (its evidence is not there) is only listed, unless none at all could be.
"""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import held, tripped
from paydrill.verdict import GuardResult

NAME = "populations"


def check(facts: RunFacts) -> GuardResult:
    results, asked = facts.results, facts.expect.invariants
    if not any(result.examined for result in results):
        return tripped(NAME, codes.NOTHING_EXAMINED, "no invariant examined anything")
    judged_nobody = [r.id for r in results if r.examined == 0 and r.verdict in ("pass", "fail")]
    unseen = {r.id for r in results if r.verdict == "not_examined"}
    missing = unseen | (set(asked or ()) - {r.id for r in results})
    empty = sorted({*judged_nobody, *(missing & set(asked or ()))})
    if empty:
        return tripped(NAME, codes.NOTHING_EXAMINED, f"nothing was examined by {', '.join(empty)}")
    total = sum(result.examined for result in results)
    return held(NAME, f"{total} subjects examined by {sum(1 for r in results if r.examined)} invariants")
