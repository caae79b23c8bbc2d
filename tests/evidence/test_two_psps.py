"""The journals of two PSPs become one set of tables, in which each row says whose it is."""

from __future__ import annotations

import orjson
import pyarrow.parquet as pq
import pytest

from paydrill.evidence.fold import fold
from paydrill.evidence.owed import charges_without_order
from paydrill.evidence.psp_journals import OFFSET
from paydrill.evidence.reader import evidence
from paydrill.evidence.story import events_of
from paydrill.psp.journal_reader import read_journal


def rows(run, table):
    return pq.read_table(run.evidence / f"{table}.parquet").to_pylist()


@pytest.fixture
def two(new_drill):
    """A run in which the second PSP has the journal of another drill, with other tokens' captures."""
    first, second = new_drill(), new_drill()
    first.checkout()
    second.checkout()
    second.checkout()
    run, other = first.standard_end().write(), second.standard_end().write()
    run.psp_folder("psp2").mkdir()
    (run.psp_folder("psp2") / "journal.jsonl").write_bytes(other.psp_journal.read_bytes())
    journal = read_journal(other.psp_journal)
    freeze = {"seq": 999, "t": 42_500_000_000, "kind": "psp_freeze", "name": "psp2", "in_flight": 0}
    with run.timeline.open("ab") as file:
        file.write(orjson.dumps({**freeze, "n": journal.lines, "head": journal.head}) + b"\n")
    return run


def test_each_row_names_its_psp_and_no_id_is_there_twice(two):
    fold(two)
    for table, key in (("psp_effect", "eff"), ("psp_request", "req")):
        found = rows(two, table)
        assert {row["psp"] for row in found} == {"psp", "psp2"}
        assert all((row[key] > OFFSET) == (row["psp"] == "psp2") for row in found)
        assert len({row[key] for row in found}) == len(found)
    effects = rows(two, "psp_effect")
    requests = {row["req"]: row["psp"] for row in rows(two, "psp_request")}
    assert all(requests[row["req"]] == row["psp"] for row in effects), (
        "an effect belongs to its own PSP's request"
    )


def test_both_readings_are_vouched_for(two):
    fold(two)
    read = {(row["tbl"], row["source"]): row["complete"] for row in rows(two, "reading")}
    for table in ("psp_effect", "psp_request", "webhook"):
        assert read[table, "psp"] is read[table, "psp2"] is True


def test_a_second_journal_that_should_be_there_and_is_not_makes_the_tables_incomplete(two):
    (two.psp_folder("psp2") / "journal.jsonl").unlink()
    fold(two)
    (found,) = (row for row in rows(two, "reading") if (row["tbl"], row["source"]) == ("psp_effect", "psp2"))
    assert found["complete"] is False
    assert found["error"] == "there is no journal"


def test_a_story_says_which_psp_did_what(two):
    fold(two)
    with evidence(two) as connection:
        story = [event for event in events_of(connection, 1, faults=False) if event.kind == "capture"]
    assert [event.source for event in story] == ["psp", "psp2"]
    assert story[1].id == f"eff{OFFSET + 1}"


def test_what_is_owed_is_asked_of_both(two):
    orders = [{"kind": "order", "client_ref": "cart-1", "state": "paid"}]
    assert charges_without_order(two, orders) == 1
    (two.psp_folder("psp2") / "journal.jsonl").unlink()
    assert charges_without_order(two, orders) == 0
