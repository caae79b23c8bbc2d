from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from paydrill.evidence.docs import evidence_markdown
from paydrill.evidence.schema import each_column, tables

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_tables_is_made_from_their_schemas():
    stored = (DOCS / "evidence.md").read_text(encoding="utf-8")
    assert stored == evidence_markdown(), "run: python -m paydrill.evidence.docs docs/evidence.md"


@pytest.mark.parametrize("table", tables().values(), ids=lambda table: table.name)
def test_parquet_and_duckdb_have_the_same_columns_and_types(table):
    connection = duckdb.connect()
    connection.execute(table.create_sql())
    described = {row[0]: row[1] for row in connection.execute(f'DESCRIBE "{table.name}"').fetchall()}
    names = {"int64": "BIGINT", "string": "VARCHAR", "bool": "BOOLEAN"}
    assert described == {field.name: names[str(field.type)] for field in table.arrow()}


@pytest.mark.parametrize("table", tables().values(), ids=lambda table: table.name)
def test_a_key_is_made_of_required_columns(table):
    assert table.key
    assert all(table.column(name).required for name in table.key)


def test_units_stand_in_the_names():
    for table, column in each_column():
        if column.name.endswith(("_ns", "_us")) or column.name == "amount" or column.name.endswith("_amount"):
            assert column.type == "int", f"{table.name}.{column.name}"
        assert column.type in ("int", "text", "bool")
        assert column.doc, f"{table.name}.{column.name} says nothing"
