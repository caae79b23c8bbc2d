"""Something was examined: a rule over nobody passes always.

An invariant that the scenario names must have had subjects. With `all`, those of `ANY_PAID_ORDER` must:
every drill in which somebody paid gives them some. Any other that found nobody, or whose evidence is
not there, is only listed.
"""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import held, tripped
from paydrill.verdict import GuardResult, InvariantResult

NAME = "populations"
ANY_PAID_ORDER = frozenset({"I-01", "I-02", "I-04", "I-05", "I-06", "I-08", "I-31", "I-43"})


def check(facts: RunFacts) -> GuardResult:
    results = facts.results
    if not any(result.examined for result in results):
        return tripped(NAME, codes.NOTHING_EXAMINED, "no invariant examined anything")
    empty = sorted({result.id for result in results if _is_empty(result, facts)} | _without_result(facts))
    if empty:
        return tripped(NAME, codes.NOTHING_EXAMINED, f"nothing was examined by {', '.join(empty)}")
    total = sum(result.examined for result in results)
    return held(NAME, f"{total} subjects examined by {sum(1 for r in results if r.examined)} invariants")


def _is_empty(result: InvariantResult, facts: RunFacts) -> bool:
    if result.verdict in ("pass", "fail"):
        return result.examined == 0
    if result.verdict != "not_examined":
        return False
    if facts.expect.invariants is not None:
        return result.id in facts.expect.invariants
    nobody_read_it = result.detail.startswith("not_given")
    return result.id in ANY_PAID_ORDER and not nobody_read_it


def _without_result(facts: RunFacts) -> set[str]:
    """Named invariants that nobody judged."""
    return set(facts.expect.invariants or ()) - {result.id for result in facts.results}
