"""Judging in a child process: wall limit, crash, cheap start."""

from __future__ import annotations

import sys
import time

import pytest

from paydrill.errors import UsageError
from paydrill.invariants import child
from paydrill.invariants.catalogue import known
from paydrill.invariants.child import judge_invariants
from paydrill.verdict import Money


def test_the_results_are_those_of_the_runner_with_their_findings(drill):
    drill.checkout()
    intent, token, _ = drill.checkout()
    drill.capture(token, at=2.5)
    run = drill.standard_end().folded()
    results = judge_invariants(run, None)
    assert [result.id for result in results] == [each.id for each in known()]
    assert {result.id: result for result in results} == drill.judge()
    (finding,) = results[0].findings
    assert (finding.intent, finding.money_at_risk) == (f"i{intent}", (Money("USD", 1000),))


def test_only_the_chosen_ones_are_judged(drill):
    drill.checkout()
    run = drill.standard_end().folded()
    assert [result.id for result in judge_invariants(run, ("I-31", "I-01"))] == ["I-01", "I-31"]


def test_an_unknown_id_is_refused_before_anything_is_started(drill):
    with pytest.raises(UsageError):
        judge_invariants(drill.run, ("I-00",))


def test_an_overrun_is_inconclusive_and_ends_in_time(drill, monkeypatch):
    drill.checkout()
    run = drill.standard_end().folded()
    slow = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(child, "_command", lambda ids: slow)
    began = time.monotonic()
    results = judge_invariants(run, None, wall_limit_s=0.3)
    assert time.monotonic() - began < 20
    assert {result.verdict for result in results} == {"inconclusive"}
    assert all(result.detail.startswith("checker_crashed: not judged within") for result in results)


def test_what_was_judged_before_a_crash_counts(drill, monkeypatch):
    drill.checkout()
    run = drill.standard_end().folded()
    script = "import sys, os; sys.stdout.buffer.write(sys.argv[1].encode()); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    done = (
        '{"id":"I-01","name":"n","verdict":"pass","examined":1,"findings":[],"detail":""}\n{"id":"I-02","na'
    )
    crash = [sys.executable, "-c", script, done]
    monkeypatch.setattr(child, "_command", lambda ids: crash)
    first, second, *_ = judge_invariants(run, None)
    assert (first.id, first.verdict, second.verdict) == ("I-01", "pass", "inconclusive")
    assert "signal 9" in second.detail


def test_foreign_parquet_files_crash_nobody_but_the_child(drill):
    drill.checkout()
    run = drill.standard_end().folded()
    (run.evidence / "op.parquet").write_bytes(b"PAR1 no parquet at all PAR1")
    results = judge_invariants(run, ("I-01",))
    assert (results[0].verdict, results[0].detail.split(":")[0]) == ("inconclusive", "checker_crashed")


def test_an_empty_folder_is_judged_without_an_error(new_drill):
    run = new_drill().run
    assert {result.verdict for result in judge_invariants(run, None)} == {"not_examined"}


def test_a_path_with_odd_letters_is_judged(drill, tmp_path):
    drill.checkout()
    run = drill.standard_end().folded()
    odd = tmp_path / 'it\'s [odd] * ünd "quoted"'
    run.path.rename(odd)
    (result,) = judge_invariants(type(run)(odd), ("I-01",))
    assert result.verdict == "pass"


def test_importing_the_entry_point_loads_no_database():
    import subprocess

    code = "import sys; import paydrill.invariants.child, paydrill.evidence.fold, paydrill.evidence.recorder; sys.exit(any(m in sys.modules for m in ('duckdb', 'pyarrow')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
