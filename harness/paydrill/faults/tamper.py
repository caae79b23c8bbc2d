"""tamper: somebody with the keys to the database changes one row of it, past the target and its triggers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from paydrill.backends import Stack
from paydrill.errors import DrillBroken, FaultNotApplied
from paydrill.faults import (
    Carries,
    Effect,
    Expects,
    Family,
    Hits,
    InForce,
    Looks,
    Scene,
    Witness,
    WitnessKind,
)
from paydrill.faults.node_fault import nodes_of_target
from paydrill.target import Target
from paydrill.topology import Node, Topology

SQL_WITHIN_S = 2.0
FOUND_WITHIN_S = 2.0
MOST_ROWS = 500
TRIES = 5
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")


@dataclass(frozen=True)
class Change:
    """One column of the row: its value before and the one that it is to have, both as text."""

    column: str
    was: str | None
    will: str | None


@dataclass(frozen=True)
class Row:
    """One row by its key, as text, and what is to become of it; no `changes`: it is to go."""

    key: Mapping[str, str]
    changes: Sequence[Change]

    @property
    def where(self) -> str:
        return " AND ".join(f"{name}::text = {_literal(value)}" for name, value in self.key.items())

    @property
    def as_it_was(self) -> str:
        """Nothing happens to one that the target has changed since."""
        same = (f"{one.column}::text IS NOT DISTINCT FROM {_literal(one.was)}" for one in self.changes)
        return " AND ".join([self.where, *same])

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.key.items())


@dataclass(frozen=True)
class Tampered:
    stack: Stack
    node: Node
    table: str
    row: Row

    def witness(self) -> Witness:
        """The row as any reader finds it now."""
        columns = ", ".join(f"{change.column}::text" for change in self.row.changes) or "1"
        query = f"SELECT {columns} FROM {self.table} WHERE {self.row.where}"
        try:
            found = self.stack.sql(self.node, query, SQL_WITHIN_S)
        except DrillBroken as problem:
            return Witness("store", False, f"{self.table} could not be read: {problem}", {})
        if not self.row.changes:
            gone = "is still there" if found else "is no longer there"
            return Witness("store", not found, f"the row of {self.table} ({self.row}) {gone}", {})
        seen = [self._seen(change, found[0] if found else None) for change in self.row.changes]
        detail = f"{self.table} ({self.row}): {'; '.join(told for _, told in seen)}"
        return Witness("store", all(changed for changed, _ in seen), detail, {})

    def _seen(self, change: Change, row: Mapping[str, object] | None) -> tuple[bool, str]:
        if row is None:
            return False, f"{change.column} is gone with its row"
        now = row[change.column]
        return now == change.will != change.was, f"{change.column} was {change.was} and is {now}"


@dataclass(frozen=True, kw_only=True)
class Tamper:
    """As the database's superuser: one row of `table` gets the values of `set` (column: SQL expression over
    the row), or is deleted where nothing is set. Which one of those that fit `where` is drawn from the seed.
    Triggers that keep a table as it is, and foreign keys, are off for the insider's session; checks are not.
    """

    name: ClassVar[str] = "tamper"
    summary: ClassVar[str] = "an insider changes or deletes one row, directly in the database"
    family: ClassVar[Family] = "operator"
    hits: ClassVar[Hits] = "database"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "most"
    carries: ClassVar[Carries] = "bytes"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker")
    needs: ClassVar[tuple[str, ...]] = ()
    witnessed_by: ClassVar[WitnessKind] = "store"
    looks: ClassVar[Looks] = "at once"
    undo: ClassVar[str] = "not undone: the row stays so, and goes with the run's database"
    example: ClassVar[Mapping[str, object]] = {
        "node": "db-1",
        "table": "payments",
        "set_": {"amount": "amount + 100"},
        "where": "state = 'captured'",
    }

    node: str
    table: str
    set_: Mapping[str, str] = field(default_factory=dict)
    where: str = "true"

    def __post_init__(self) -> None:
        for name in (self.table, *self.set_):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a table or column")
        for text in (self.where, *self.set_.values()):
            if ";" in text or "\0" in text:
                raise ValueError(f"expected one SQL expression, got more: {text!r}")

    def places(self, topology: Topology) -> tuple[str, ...]:
        return tuple(node.name for node in nodes_of_target(topology, self.node))

    def check(self, target: Target, topology: Topology) -> None:
        """Raises ValueError for a node without a database."""
        for node in nodes_of_target(topology, self.node):
            runtime = target.services[node.service].runtime
            if runtime != "postgres":
                raise ValueError(f"{node.name} is a {runtime} node; expected a postgres one")

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        node = scene.chance("node").choice(nodes_of_target(stack.topology, self.node))
        for number in range(TRIES):
            row = scene.chance(f"row {number}").choice(self._rows(stack, node))
            stack.insider_sql(node, self._statement(row), SQL_WITHIN_S)
            tampered = Tampered(stack, node, self.table, row)
            if (seen := tampered.witness()).witnessed:
                break
        else:
            raise FaultNotApplied(
                f"{TRIES} rows changed in the same moment as they were tampered with: {seen.detail}"
            )
        yield tampered

    def _rows(self, stack: Stack, node: Node) -> Sequence[Row]:
        """In the order of their keys. Raises FaultNotApplied while there is none."""
        key, columns = self._key(stack, node), list(self.set_)
        wanted = [f"{name}::text AS key_{number}" for number, name in enumerate(key)]
        for number, column in enumerate(columns):
            wanted += [
                f"{column}::text AS was_{number}",
                f"({self.set_[column]})::text AS will_{number}",
            ]
        other = [f"{column} IS DISTINCT FROM ({self.set_[column]})" for column in columns]
        query = (
            f"SELECT {', '.join(wanted)} FROM {self.table} WHERE {' AND '.join([f'({self.where})', *other])} "
            f"ORDER BY {', '.join(key)} LIMIT {MOST_ROWS}"
        )
        give_up = time.monotonic() + FOUND_WITHIN_S
        while not (found := _read(stack, node, query)):
            if time.monotonic() > give_up:
                raise FaultNotApplied(f"{self.table} has no row to tamper with where {self.where}")
            time.sleep(0.1)
        return [
            Row(
                {name: str(one[f"key_{number}"]) for number, name in enumerate(key)},
                [
                    Change(column, _text(one[f"was_{number}"]), _text(one[f"will_{number}"]))
                    for number, column in enumerate(columns)
                ],
            )
            for one in found
        ]

    def _key(self, stack: Stack, node: Node) -> Sequence[str]:
        query = f"""
            SELECT quote_ident(a.attname) AS name FROM pg_index i
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
            WHERE i.indrelid = {_literal(self.table)}::regclass AND i.indisprimary ORDER BY a.attnum
        """
        if not (found := _read(stack, node, query)):
            raise FaultNotApplied(f"{self.table} has no primary key: its rows cannot be told apart")
        return [str(one["name"]) for one in found]

    def _statement(self, row: Row) -> str:
        """Nothing of the session's own outlives it."""
        sets = ", ".join(f"{column} = ({value})" for column, value in self.set_.items())
        change = f"UPDATE {self.table} SET {sets}" if sets else f"DELETE FROM {self.table}"
        return f"SET LOCAL session_replication_role = replica; {change} WHERE {row.as_it_was}"


def _read(stack: Stack, node: Node, query: str) -> Sequence[Mapping[str, object]]:
    """Raises FaultNotApplied with the database's words: a table or a column that there is not."""
    try:
        return stack.sql(node, query, SQL_WITHIN_S)
    except DrillBroken as problem:
        raise FaultNotApplied(problem.detail) from problem


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def _text(value: object) -> str | None:
    return None if value is None else str(value)


FAULT = Tamper
