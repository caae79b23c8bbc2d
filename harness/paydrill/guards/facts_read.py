"""What the target offers to be read was read: else rules that compare it would silently compare less."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "facts_read"


def check(facts: RunFacts) -> GuardResult:
    offered = facts.info.facts_offered
    problems = [problem for table in offered if (problem := _problem(table, facts))]
    return all_of(NAME, codes.FACTS_UNREAD, problems, f"{len(offered)} tables of the target were read")


def _problem(table: str, facts: RunFacts) -> str:
    """The last snapshot counts: it is the one that invariants judge."""
    readings = [reading for reading in facts.readings if reading.table == table]
    if not readings:
        return f"{table} was never read"
    last = max(reading.snap for reading in readings)
    failed = [reading for reading in readings if reading.snap == last and not reading.complete]
    return f"{table} was not read wholly: {failed[0].error or 'no reason given'}" if failed else ""
