"""The linter: what could lose a subject, hide a NULL or change the evidence is refused before it runs."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from paydrill.evidence.schema import tables
from paydrill.invariants.catalogue import HeaderError, known, parse
from paydrill.invariants.linter import lint

COLUMNS = "subject, intent, held, amount, currency, why"


@pytest.fixture(scope="module")
def connection():
    connection = duckdb.connect()
    for table in tables().values():
        connection.execute(table.create_sql())
    for view in ("m_op", "m_open", "m_amount", "v_intent", "v_root", "v_final", "v_order"):
        connection.execute(f"CREATE TABLE {view} (intent BIGINT)")
    yield connection
    connection.close()


def problems(connection, sql, pop="SELECT intent AS subject, * FROM intent"):
    return lint(connection, replace(known()[0], sql=sql, pop=pop))


@pytest.mark.parametrize("invariant", known(), ids=lambda each: each.id)
def test_every_invariant_is_clean(connection, invariant):
    assert lint(connection, invariant) == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (f"SELECT {COLUMNS} FROM pop; SELECT {COLUMNS} FROM pop", "2 statements"),
        ("CREATE TABLE x (a INT)", "no SELECT"),
        ("SET VARIABLE snap = 1", "no SELECT"),
        ("COPY (SELECT 1) TO '/tmp/x'", "no SELECT"),
        (f"SELECT {COLUMNS} FROM intent", "does not start FROM pop"),
        (f"SELECT {COLUMNS} FROM op LEFT JOIN pop USING (intent)", "does not start FROM pop"),
        (f"SELECT {COLUMNS} FROM pop JOIN op USING (intent)", "INNER join"),
        (f"SELECT {COLUMNS} FROM pop RIGHT JOIN op USING (intent)", "RIGHT join"),
        (f"SELECT {COLUMNS} FROM pop, op", "join at the top"),
        (f"SELECT {COLUMNS} FROM pop WHERE held", "WHERE"),
        (f"SELECT {COLUMNS} FROM (SELECT {COLUMNS} FROM pop WHERE held)", "WHERE"),
        (f"SELECT {COLUMNS} FROM pop GROUP BY ALL", "GROUP BY|aggregates"),
        (f"SELECT {COLUMNS} FROM pop QUALIFY row_number() OVER () = 1", "QUALIFY"),
        (f"SELECT {COLUMNS} FROM pop LIMIT 3", "LIMIT"),
        (f"SELECT DISTINCT {COLUMNS} FROM pop", "DISTINCT"),
        (f"SELECT {COLUMNS} FROM pop UNION ALL SELECT {COLUMNS} FROM pop", "not one plain SELECT"),
        (f"WITH w AS (SELECT 1) SELECT {COLUMNS} FROM pop", "WITH at the top"),
        ("SELECT subject, intent, token NOT IN (SELECT token FROM op) AS held, amount, currency, why FROM pop", "NOT IN"),
        (f"SELECT {COLUMNS} FROM pop LEFT JOIN read_csv('/etc/passwd') AS f ON true", "table function"),
        (f"SELECT {COLUMNS} FROM pop LEFT JOIN '/etc/passwd' AS f ON true", "neither evidence nor a shared view"),
        (f"SELECT {COLUMNS} FROM pop LEFT JOIN elsewhere ON true", "neither evidence nor a shared view"),
        ("SELECT subject, intent, random() < 2 AS held, amount, currency, why FROM pop", "would differ"),
        ("SELECT subject, intent, t_sut_us > 3 AS held, amount, currency, why FROM pop", "never compared"),
        ("SELECT subject, intent, true AS held, amount, currency FROM pop", "no column `why`"),
    ],
)  # fmt: skip
def test_what_could_lose_a_subject_or_touch_the_evidence_is_refused(connection, sql, said):
    import re

    found = problems(connection, sql)
    assert any(re.search(said, problem) for problem in found), found


def test_left_joins_and_one_nested_select_are_allowed(connection):
    nested = f"SELECT {COLUMNS} FROM (SELECT pop.*, true AS held FROM pop LEFT JOIN (SELECT intent, count(*) AS n FROM op WHERE status = 200 GROUP BY intent) AS o ON o.intent = pop.intent)"
    assert problems(connection, nested) == []


def test_a_population_may_filter_and_group_but_not_leave_the_evidence(connection):
    sql = f"SELECT {COLUMNS} FROM pop"
    assert (
        problems(connection, sql, "SELECT intent AS subject FROM op WHERE status = 200 GROUP BY intent") == []
    )
    assert problems(connection, sql, "SELECT * FROM read_parquet('x')") != []


@pytest.mark.parametrize(
    ("file_name", "change", "said"),
    [
        ("I-99-x.sql", ("-- title: t\n", ""), "no `title:`"),
        ("I-99-x.sql", ("severity: S0", "severity: S7"), "severity is S7"),
        ("I-99-x.sql", ("bucket: customer", "bucket: mine"), "bucket is mine"),
        ("other.sql", ("", ""), "expected a file name of I-99-<name>.sql"),
    ],
)
def test_a_header_that_says_too_little_is_refused(file_name, change, said):
    text = "-- id: I-99 | severity: S0 | bucket: customer | kind: query\n-- title: t\n-- needs: op | events: pay\n-- rule: r\n-- pop: SELECT 1\nSELECT 1\n"
    with pytest.raises(HeaderError, match=said):
        parse(file_name, text.replace(*change) if change[0] else text)


def test_every_table_that_a_header_names_exists():
    for invariant in known():
        assert set(invariant.needs) | set(invariant.uses) <= set(tables()), invariant.id
