"""The written, versioned schema of every evidence table; `docs/evidence.md` is made from it.

Names tell units: `*_ns` is CLOCK_MONOTONIC of the host in nanoseconds, `*_us` is the target's own
clock (shown, never compared), amounts are integer minor units beside an ISO currency in capitals.
Ids of the harness are integers; ids of others (`ref`, `pi`) stay text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

ColumnType = Literal["int", "text", "bool"]
Value = int | str | bool | None
Row = dict[str, Value]
DUCKDB_TYPES: dict[ColumnType, str] = {"int": "BIGINT", "text": "VARCHAR", "bool": "BOOLEAN"}


@dataclass(frozen=True)
class Column:
    """One column. `required`: a row without it is malformed, and its reading is not complete."""

    name: str
    type: ColumnType
    doc: str
    required: bool = False


@dataclass(frozen=True)
class Table:
    """One table. `layer`: `fact` judges money with any target, `attachment` needs a look inside it."""

    name: str
    version: int
    layer: Literal["fact", "attachment"]
    key: tuple[str, ...]
    title: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def arrow(self) -> pa.Schema:
        """The Parquet schema; a column that is required is not nullable."""
        import pyarrow as pa

        types = {"int": pa.int64(), "text": pa.string(), "bool": pa.bool_()}
        fields = [pa.field(c.name, types[c.type], nullable=not c.required) for c in self.columns]
        return pa.schema(
            fields, metadata={"paydrill.table": self.name, "paydrill.version": str(self.version)}
        )

    def create_sql(self) -> str:
        """An empty typed table: what stands in for a table that nobody read."""
        columns = ", ".join(f'"{c.name}" {DUCKDB_TYPES[c.type]}' for c in self.columns)
        return f'CREATE TABLE "{self.name}" ({columns})'


def parse_columns(text: str) -> tuple[Column, ...]:
    """Parse `name type doc` lines; a `!` after the type marks a required column."""
    return tuple(_column(line.strip()) for line in text.strip().splitlines())


def _column(line: str) -> Column:
    name, kind, doc = line.split(maxsplit=2)
    types: dict[str, ColumnType] = {"int": "int", "text": "text", "bool": "bool"}
    return Column(name, types[kind.rstrip("!")], doc, required=kind.endswith("!"))


@cache
def tables() -> dict[str, Table]:
    """All tables by name, facts first, in the order of the documentation."""
    from paydrill.evidence import schema_attachments, schema_facts

    return {table.name: table for table in (*schema_facts.TABLES, *schema_attachments.TABLES)}


def each_column() -> Iterator[tuple[Table, Column]]:
    for table in tables().values():
        for column in table.columns:
            yield table, column
