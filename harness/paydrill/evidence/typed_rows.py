"""JSON objects into rows of a table: a row that does not fit its schema is counted, never guessed at."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import orjson

from paydrill.evidence.schema import Column, Row, Table, Value

INT64_MAX = 2**63 - 1


_EXACT: Mapping[str, type] = {"int": int, "text": str, "bool": bool}


class Misfit(ValueError):
    """A value that its column cannot hold."""


@dataclass
class TypedRows:
    """Rows of one table, and what was wrong with those that were left out (the first few, in words)."""

    table: Table
    rows: list[Row] = field(default_factory=list)
    misfits: int = 0
    first_misfits: list[str] = field(default_factory=list)

    def add(self, values: Mapping[str, object]) -> Row | None:
        """Append one row; None when it does not fit."""
        row: Row = {}
        get = values.get
        try:
            for column in self.table.columns:
                value = get(column.name)
                # The common case in line: this runs for every value of every row.
                fits = type(value) is _EXACT[column.type] and not (column.type == "int" and _too_long(value))
                row[column.name] = value if fits else to_value(column, value)  # type: ignore[assignment]
        except Misfit as misfit:
            self.reject(str(misfit))
            return None
        self.rows.append(row)
        return row

    def reject(self, why: str) -> None:
        self.misfits += 1
        if len(self.first_misfits) < 3:
            self.first_misfits.append(why)

    def sorted_unique(self) -> list[Row]:
        """Rows by key. Of rows with an equal key one is kept, whatever their order, and the rest are misfits."""
        key = itemgetter(*self.table.key)
        groups: dict[Any, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(key(row), []).append(row)
        for values, group in groups.items():
            if len(group) > 1:
                self.reject(f"{len(group)} rows with the key {values}")
                group[:] = [min(group, key=repr)]
        # Columns of a key are required and of one type, so that keys can be compared.
        self.rows = [groups[values][0] for values in sorted(groups)]
        return self.rows

    @property
    def trouble(self) -> str | None:
        """Why the table is not complete; None when every row fitted."""
        if not self.misfits:
            return None
        return f"{self.misfits} rows do not fit the schema: {'; '.join(self.first_misfits)}"


def to_value(column: Column, value: object) -> Value:
    """The value as its column holds it. Raises Misfit; a float is never money nor an id."""
    if value is None:
        if column.required:
            raise Misfit(f"{column.name} is missing")
        return None
    if column.type == "int" and type(value) is int and not _too_long(value):
        return value
    if column.type == "bool" and isinstance(value, bool):
        return value
    if column.type == "text":
        return _as_text(value)
    raise Misfit(f"{column.name} is {value!r}, expected {column.type}")


def _too_long(value: Any) -> bool:
    return not -INT64_MAX <= value <= INT64_MAX


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def capitals(value: object) -> object:
    """A currency code in capitals (Stripe writes small letters); anything else as it is."""
    return value.upper() if isinstance(value, str) else value


def row_hash(values: Mapping[str, object]) -> str:
    """A hash of a row as it was read, equal for equal content."""
    return hashlib.sha256(orjson.dumps(dict(values), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
