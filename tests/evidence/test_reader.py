"""The reader: locked down, typed, and clear about what was given."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paydrill.evidence.reader import evidence, given_tables, view_statements
from paydrill.evidence.recorder import write_reading
from paydrill.evidence.schema import tables


@pytest.fixture
def run(drill):
    intent, _, pi = drill.checkout()
    drill.refund(pi, 100, at=9.0)
    drill.order_row(intent)
    return drill.standard_end().folded()


def one(connection, sql):
    return connection.execute(sql).fetchone()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/paydrill-never-written.csv'",
        "ATTACH '/tmp/paydrill-never-written.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '64GB'",
        "SET threads = 64",
        "EXPORT DATABASE '/tmp/paydrill-never-written'",
    ],
)
def test_nothing_else_can_be_read_written_or_changed(run, statement):
    with evidence(run) as connection, pytest.raises(duckdb.Error):
        connection.execute(statement)


def test_the_evidence_cannot_be_overwritten(run):
    path = run.evidence / "op.parquet"
    before = path.read_bytes()
    with evidence(run) as connection, pytest.raises(duckdb.Error):
        connection.execute(f"COPY (SELECT 1) TO '{path}' (FORMAT parquet)")
    assert path.read_bytes() == before


def test_python_objects_cannot_be_read(run):
    hidden = pa.table({"a": [1]})
    with evidence(run) as connection, pytest.raises(duckdb.Error):
        connection.execute("SELECT * FROM hidden")
    del hidden


def test_every_table_is_there_typed_also_if_nobody_read_it(run):
    with evidence(run) as connection:
        for table in tables().values():
            described = [
                (row[0], row[1]) for row in connection.execute(f'DESCRIBE "{table.name}"').fetchall()
            ]
            assert [name for name, _ in described] == [column.name for column in table.columns]
        assert one(connection, "SELECT count(*) FROM stock") == (0,)
        given = given_tables(connection)
    assert "sut_fact" in given and "stock" not in given and "delivery" not in given


def test_given_comes_from_the_reading_and_not_from_rows(drill):
    run = drill.write()
    write_reading(run, "stock", "db-1", 1, [], 5, 6, True)
    from paydrill.evidence.fold import fold

    fold(run)
    with evidence(run) as connection:
        assert given_tables(connection)["stock"].complete is True


def test_a_file_without_a_reading_vouches_for_nothing(run):
    pq.write_table(pa.table({"a": [1]}), run.evidence / "stock.parquet")
    with evidence(run) as connection:
        assert "stock" not in given_tables(connection)


def test_a_table_of_another_version_is_not_given(run):
    readings = pq.read_table(run.evidence / "reading.parquet").to_pylist()
    for row in readings:
        if row["tbl"] == "sut_fact":
            row["version"] += 1
    pq.write_table(
        pa.Table.from_pylist(readings, tables()["reading"].arrow()), run.evidence / "reading.parquet"
    )
    with evidence(run) as connection:
        assert "sut_fact" not in given_tables(connection)


def test_a_table_that_lacks_a_column_is_not_given(run):
    table = pq.read_table(run.evidence / "psp_request.parquet")
    pq.write_table(table.drop_columns(["decision"]), run.evidence / "psp_request.parquet")
    with evidence(run) as connection:
        assert "psp_request" not in given_tables(connection)
        assert one(connection, "SELECT count(*) FROM psp_request") == (0,)


def test_the_last_reading_says_whether_a_table_is_complete(drill):
    drill.snapshot(1, complete=True)
    drill.snapshot(2, complete=False)
    with drill.opened() as connection:
        assert given_tables(connection)["sut_fact"].complete is False
        assert one(connection, "SELECT getvariable('sut_given')") == (False,)


def test_the_views_lose_no_row_and_no_money(drill):
    for number in range(20):
        intent, token, pi = drill.checkout(amount=1000 + number)
        if number % 3 == 0:
            drill.capture(token, 1000 + number, at=2.7)
        if number % 4 == 0:
            drill.refund(pi, 500, at=6.0)
        if number % 5 == 0:
            drill.pay_lost(intent, token, at=8.0, key=f"again-{number}")
    drill.capture(None, 77, wire="pm_card_visa")
    with drill.standard_end().opened() as connection:
        assert one(connection, "SELECT count(*) FROM v_intent") == one(
            connection, "SELECT count(*) FROM intent"
        )
        assert one(connection, "SELECT count(*) FROM m_op") == one(connection, "SELECT count(*) FROM op")
        captured = one(connection, "SELECT sum(amount)::BIGINT FROM psp_effect WHERE kind = 'capture'")
        assert one(connection, "SELECT sum(captured)::BIGINT FROM v_root") == captured
        assert one(connection, "SELECT sum(gross)::BIGINT + 77 FROM v_intent") == captured


def test_the_money_band_of_an_intent(drill):
    paid, _, _ = drill.checkout()
    asked, _, _ = drill.checkout()
    drill.op("refund", asked, 9.0, amount=300)
    unknown, _, _ = drill.checkout()
    drill.op("refund", unknown, 9.0, outcome="info", status=None, executed=False, amount=300)
    cancelled, _, _ = drill.checkout()
    drill.op("cancel", cancelled, 9.0)
    never = drill.intent()
    with drill.standard_end().opened() as connection:
        bands = dict(connection.execute("SELECT intent, [lo, hi] FROM v_intent").fetchall())
    assert bands == {
        paid: [1000, 1000],
        asked: [700, 700],
        unknown: [700, 1000],
        cancelled: [0, 0],
        never: [0, 0],
    }


def test_an_open_try_is_settled_by_an_executed_answer_for_its_key_only(drill):
    intent = drill.intent()
    token = drill.token(intent)
    settled = drill.pay_lost(intent, token, at=2.0, key="a")
    other_body = drill.pay_lost(intent, token, at=2.1, key="a", body="other")
    again = drill.pay_lost(intent, token, at=2.2, key="a", body="other")
    late = drill.pay_lost(intent, token, at=9.0, key="a")
    drill.pay_declined(intent, token, at=5.0, key="a")
    drill.op("pay", intent, 4.0, outcome="fail", status=429, executed=False, token=token, key="a")
    with drill.standard_end().opened() as connection:
        found = dict(connection.execute("SELECT op, sout FROM m_op WHERE outcome = 'info'").fetchall())
    assert found == {settled: "fail", other_body: "info", again: "info", late: "info"}


def test_the_outcome_of_an_intent(drill):
    ok, _, _ = drill.checkout()
    accepted, info, fail, lost_create = (drill.intent() for _ in range(4))
    for intent in (accepted, info, fail):
        drill.create(intent)
    drill.pay(accepted, drill.token(accepted), status=202, said="payment_pending")
    drill.pay_lost(info, drill.token(info))
    drill.pay_declined(fail, drill.token(fail))
    drill.op("create", lost_create, 2.0, outcome="info", status=None, executed=False)
    with drill.standard_end().opened() as connection:
        found = dict(connection.execute("SELECT intent, outcome FROM v_intent").fetchall())
    assert found == {ok: "ok", accepted: "accepted", info: "info", fail: "fail", lost_create: "info"}


def test_views_come_in_the_order_in_which_they_build_on_each_other():
    names = [name for name, _ in view_statements()]
    assert names.index("m_settle") < names.index("m_op") < names.index("v_intent") < names.index("m_open")
