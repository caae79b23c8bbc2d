"""docs/status.md is written from the record, and keeps what the record does not know."""

from __future__ import annotations

import pytest


@pytest.fixture
def exhaustive(monkeypatch, tmp_path):
    import exhaustive

    monkeypatch.setattr(exhaustive, "STATUS", tmp_path / "status.md")
    monkeypatch.setattr(exhaustive, "RESULTS", tmp_path / "record.jsonl")
    return exhaustive


def result(exhaustive, part, name, good=True):
    return exhaustive.Result(part, name, "pass", "pass" if good else "fail I-15", good, [], "c0ffee", 1.0)


def test_a_part_that_is_not_in_the_record_stays_as_it_was(exhaustive):
    exhaustive.record(result(exhaustive, 2, "steady"))
    exhaustive.write_status()
    exhaustive.RESULTS.unlink()
    exhaustive.record(result(exhaustive, 5, "random plan 002 on local", good=False))
    exhaustive.write_status()
    exhaustive.write_status()
    text = exhaustive.STATUS.read_text()
    assert text.count("## Part") == 2 and text.startswith("# Status")
    assert "| `steady` | pass | pass | yes | c0ffee |" in text
    assert "## Part 5: 0 of 1 as wanted" in text and "fail I-15 | **no**" in text


def test_of_single_faults_only_what_was_not_as_wanted_has_a_row(exhaustive):
    exhaustive.record(result(exhaustive, 4, "kill on local: SIGTERM"))
    exhaustive.record(result(exhaustive, 4, "kill on local: killed -9", good=False))
    exhaustive.record(result(exhaustive, 4, "ten interleavings, held"))
    exhaustive.write_status()
    text = exhaustive.STATUS.read_text()
    assert "## Part 4: 2 of 3 as wanted" in text and "2 of them are tests of one fault" in text
    assert "kill on local: SIGTERM" not in text
    assert "`kill on local: killed -9`" in text and "`ten interleavings, held`" in text
