"""The page of what ran live tells of every fault, from the record and from what it told before."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from paydrill import faults


@dataclass(frozen=True)
class Told:
    """rows: its cells by the fault's name."""

    page: str
    rows: dict[str, list[str]]


def rows_of(page):
    return {
        line.split("`")[1]: [cell.strip() for cell in line.split("|")[2:-1]]
        for line in page.splitlines()
        if line.startswith("| `")
    }


@pytest.fixture
def record():
    import exhaustive
    import live_table

    def table(*tests, page=""):
        results = [
            exhaustive.Result(
                4, name, "passed", "passed" if good else "failure: no", good, [], commit, 1.0, day
            )
            for name, good, commit, day in tests
        ]
        told = live_table.live_table(results, page)
        return Told(told, rows_of(told))

    return table


def test_every_fault_has_a_row_and_what_never_ran_is_not_yet(record):
    rows = record().rows
    assert set(rows) == set(faults.known())
    for name, fault in faults.known().items():
        told = ["not yet" if one in fault.backends else "–" for one in ("local", "docker", "attached")]
        assert rows[name] == told


def test_what_ran_is_told_with_its_oldest_day_and_commit(record):
    ways = ("seen and healed", "killed -9", "SIGTERM")
    runs = [(f"kill on local: {way}", True, "abc1234", "2026-11-25") for way in ways]
    runs.append(("kill of the database on local: seen and healed", True, "0001111", "2026-11-20"))
    assert record(*runs).rows["kill"] == ["4 of 4, 2026-11-20 on 0001111", "not yet", "–"]


def test_a_test_that_failed_and_ways_that_never_ran_are_told(record):
    runs = [("kill on docker: seen and healed", False, "abc1234", "2026-11-25")]
    assert record(*runs).rows["kill"][1] == ("**0 of 1, 2026-11-25 on abc1234**; not yet: killed -9, SIGTERM")


def test_lines_of_other_parts_and_jobs_are_no_healing_tests(record):
    rows = record(("disks under four writers, power cut five times", True, "abc1234", "2026-11-25")).rows
    assert rows["power_cut"][0] == "not yet"


def test_what_the_page_tells_of_faults_that_are_not_in_the_record_stays(record):
    before = record(
        ("kill on local: seen and healed", True, "abc1234", "2026-11-25"),
        ("pause on local: seen and healed", True, "abc1234", "2026-11-25"),
    )
    after = record(("pause on local: seen and healed", False, "def5678", "2026-11-26"), page=before.page)
    assert after.rows["kill"] == before.rows["kill"] != ["not yet", "not yet", "–"]
    assert after.rows["pause"][0].startswith("**0 of 1, 2026-11-26 on def5678**")
    assert record(page=after.page).page == after.page
