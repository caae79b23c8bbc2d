"""Judges opened evidence by invariants: one row a subject, counted against the population.

A query that returns only breaches passes when a join loses rows. So each rule answers for every
subject, and both number and checksum of its subjects must be those of the population.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydrill.evidence.reader import Given, given_tables
from paydrill.evidence.story import Event, events_by_subject
from paydrill.invariants.catalogue import Invariant
from paydrill.invariants.linter import lint
from paydrill.verdict import Finding, InvariantResult, Money

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_FINDINGS = 1000
MAX_EVENTS = 60
# sum of hash % prime: bit_xor(hash(…)) over text hung for ever on large inputs.
_CHECKSUM = "coalesce(sum(hash(subject) % 1000000007), 0)::HUGEINT"
_JUDGE = """
WITH pop AS MATERIALIZED ({pop}), r AS MATERIALIZED ({rule})
SELECT
  (SELECT count(*) FROM pop) AS population,
  (SELECT count(DISTINCT subject) FROM pop) AS different,
  (SELECT {checksum} FROM pop) AS population_checksum,
  count(*) AS examined, {checksum} AS examined_checksum,
  count(*) FILTER (WHERE held IS NULL) AS undecided,
  count(*) FILTER (WHERE held = false) AS broken
FROM r
"""
_LIST = """
WITH pop AS MATERIALIZED ({pop}), r AS ({rule})
SELECT * FROM r WHERE {which} ORDER BY subject LIMIT {limit}
"""


@dataclass(frozen=True)
class Count:
    """How a population fared."""

    population: int
    different: int
    population_checksum: int
    examined: int
    examined_checksum: int
    undecided: int
    broken: int

    @property
    def whole(self) -> bool:
        return (
            self.population == self.different == self.examined
            and self.population_checksum == self.examined_checksum
        )


def judge(connection: DuckDBPyConnection, invariants: Iterable[Invariant]) -> Iterator[InvariantResult]:
    """One result each, as soon as it is there. A rule that crashes is inconclusive; the others go on."""
    given = given_tables(connection)
    for invariant in invariants:
        try:
            yield judge_one(connection, invariant, given)
        except Exception as error:
            yield inconclusive(invariant, "checker_crashed", f"{type(error).__name__}: {error}")


def judge_one(
    connection: DuckDBPyConnection, invariant: Invariant, given: Mapping[str, Given]
) -> InvariantResult:
    """Raises duckdb.Error when the rule cannot be run."""
    missing = [table for table in invariant.needs if table not in given]
    if missing:
        return _result(
            invariant, "not_examined", 0, f"not_given: needs {', '.join(missing)}, which nobody read"
        )
    if problems := lint(connection, invariant):
        return inconclusive(invariant, "checker_crashed", f"not run: {'; '.join(problems)}")
    count = _count(connection, invariant)
    if not count.whole:
        return inconclusive(invariant, "population_mismatch", _population_text(count))
    if count.examined == 0:
        return _result(invariant, "not_examined", 0, "no_subject: the drill held nothing that it could judge")
    return _judged(connection, invariant, count, given)


def inconclusive(invariant: Invariant, code: str, detail: str) -> InvariantResult:
    """A result that proves nothing; `detail` begins with the reason's code."""
    return _result(invariant, "inconclusive", 0, f"{code}: {detail}")


def _judged(
    connection: DuckDBPyConnection, invariant: Invariant, count: Count, given: Mapping[str, Given]
) -> InvariantResult:
    compared = _compared(invariant, given)
    if count.broken:
        findings = _findings(connection, invariant)
        more = (
            f"{count.broken} findings, the first {MAX_FINDINGS} listed; "
            if count.broken > MAX_FINDINGS
            else ""
        )
        return _result(invariant, "fail", count.examined, more + compared, findings)
    if count.undecided:
        why = _undecided_text(connection, invariant, count)
        return _result(invariant, "inconclusive", count.examined, f"undecided: {why}; {compared}")
    torn = [f"{name} ({given[name].error})" for name in invariant.needs if not given[name].complete]
    if torn:
        why = f"undecided: nothing was broken, but not all was read: {', '.join(torn)}; {compared}"
        return _result(invariant, "inconclusive", count.examined, why)
    return _result(invariant, "pass", count.examined, compared)


def _compared(invariant: Invariant, given: Mapping[str, Given]) -> str:
    """What stood beside each other, and which optional table did not."""
    usable = {name for name in invariant.uses if name in given and given[name].complete}
    text = f"compared: {', '.join([*invariant.needs, *(name for name in invariant.uses if name in usable)])}"
    absent = [name for name in invariant.uses if name not in usable]
    return f"{text}; not: {', '.join(absent)}" if absent else text


def _population_text(count: Count) -> str:
    return (
        f"examined {count.examined} subjects of a population of {count.population}"
        f" ({count.different} different), or not the same ones"
    )


def _undecided_text(connection: DuckDBPyConnection, invariant: Invariant, count: Count) -> str:
    rows = _rows(connection, invariant, "held IS NULL", 3)
    examples = ", ".join(f"{row['subject']} ({row['why']})" for row in rows)
    return f"{count.undecided} of {count.examined} subjects: {examples}"


def _count(connection: DuckDBPyConnection, invariant: Invariant) -> Count:
    statement = _JUDGE.format(pop=invariant.pop, rule=invariant.sql, checksum=_CHECKSUM)
    row = connection.execute(statement).fetchone()
    assert row is not None, "an aggregate always gives a row"
    return Count(*(int(value) for value in row))


def _rows(
    connection: DuckDBPyConnection, invariant: Invariant, which: str, limit: int
) -> list[dict[str, Any]]:
    statement = _LIST.format(pop=invariant.pop, rule=invariant.sql, which=which, limit=limit)
    result = connection.execute(statement)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _findings(connection: DuckDBPyConnection, invariant: Invariant) -> tuple[Finding, ...]:
    rows = _rows(connection, invariant, "held = false", MAX_FINDINGS)
    intents = [row["intent"] for row in rows if row["intent"] is not None]
    objects = [row["pi"] for row in rows if row["intent"] is None and row.get("pi") is not None]
    by_intent, by_object = events_by_subject(connection, intents, objects)
    return tuple(
        _finding(invariant, row, by_intent.get(row["intent"], by_object.get(row.get("pi", ""), [])))
        for row in rows
    )


def _finding(invariant: Invariant, row: Mapping[str, Any], events: list[Event]) -> Finding:
    intent = f"i{row['intent']}" if row["intent"] is not None else None
    money = (Money(str(row["currency"] or "XXX"), int(row["amount"])),) if row["amount"] is not None else ()
    summary = f"{row['why']}" if intent else f"{row['why']} ({row['subject']})"
    return Finding(intent, summary, money, deciding_events(invariant, events))


def deciding_events(invariant: Invariant, events: Iterable[Event]) -> tuple[str, ...]:
    """Ids of the events whose kinds the rule names, in order of time, each once."""
    ids = dict.fromkeys(event.id for event in events if event.kind in invariant.events)
    return tuple(ids)[:MAX_EVENTS]


def _result(
    invariant: Invariant, verdict: Any, examined: int, detail: str, findings: tuple[Finding, ...] = ()
) -> InvariantResult:
    return InvariantResult(invariant.id, invariant.name, verdict, examined, findings, detail)
