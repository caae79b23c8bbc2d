"""The page of what ran live tells of every fault, and only what is in the record."""

from __future__ import annotations

from pathlib import Path

import pytest

from paydrill import faults

HERE = Path(__file__).parent


@pytest.fixture
def record(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import exhaustive
    import live_table

    def table(*tests):
        results = [
            exhaustive.Result(
                4, name, "passed", "passed" if good else "failure: no", good, [], commit, 1.0, day
            )
            for name, good, commit, day in tests
        ]
        return {
            line.split("`")[1]: [cell.strip() for cell in line.split("|")[2:-1]]
            for line in live_table.live_table(results).splitlines()
            if line.startswith("| `")
        }

    return table


def test_every_fault_has_a_row_and_what_never_ran_is_not_yet(record):
    rows = record()
    assert set(rows) == set(faults.known())
    for name, fault in faults.known().items():
        told = ["not yet" if one in fault.backends else "–" for one in ("local", "docker", "attached")]
        assert rows[name] == told


def test_what_ran_is_told_with_its_oldest_day_and_commit(record):
    ways = ("seen and healed", "killed -9", "SIGTERM")
    runs = [(f"kill on local: {way}", True, "abc1234", "2026-11-25") for way in ways]
    runs.append(("kill of the database on local: seen and healed", True, "0001111", "2026-11-20"))
    assert record(*runs)["kill"] == ["4 of 4, 2026-11-20 on 0001111", "not yet", "–"]


def test_a_test_that_failed_and_ways_that_never_ran_are_told(record):
    runs = [("kill on docker: seen and healed", False, "abc1234", "2026-11-25")]
    assert record(*runs)["kill"][1] == ("**0 of 1, 2026-11-25 on abc1234**; not yet: killed -9, SIGTERM")


def test_lines_of_other_parts_and_jobs_are_no_healing_tests(record):
    rows = record(("disks under four writers, power cut five times", True, "abc1234", "2026-11-25"))
    assert rows["power_cut"][0] == "not yet"
