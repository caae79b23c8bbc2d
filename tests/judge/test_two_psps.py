"""A drill with a second PSP: every guard that believes a journal looks at both."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

import paydrill.evidence.psp_journals as journals
import paydrill.judge as judging
from paydrill.guards import codes, run_guards
from paydrill.guards.read_facts import read_facts
from paydrill.psp.journal_reader import read_journal
from paydrill.verdict import InvariantResult

EXAMINED = (InvariantResult("I-01", "no standing double charge", "pass", 400),)


@pytest.fixture
def two(drill, hand, tmp_path):
    """Writes the drill with a psp2 that captured as the first one did, and was frozen."""
    drill.meta["psps"] = ["psp", "psp2"]

    def write(frozen=True):
        run = drill.write(tmp_path / "run")
        run.psp_folder("psp2").mkdir()
        (run.psp_folder("psp2") / "journal.jsonl").write_bytes(run.psp_journal.read_bytes())
        if frozen:
            journal = read_journal(run.psp_journal)
            with run.timeline.open("ab") as file:
                line = {"seq": 99, "t": hand.at(23.3), "kind": "psp_freeze", "name": "psp2"}
                file.write(orjson.dumps({**line, "n": journal.lines, "head": journal.head}) + b"\n")
        return run

    return write


def tripped(run) -> dict[str, str]:
    guards = run_guards(replace(read_facts(run), results=EXAMINED))
    return {guard.name: f"{guard.code}: {guard.detail}" for guard in guards if guard.verdict != "pass"}


def test_both_journals_verify(two):
    run = two()
    assert tripped(run) == {}
    first, second = read_facts(run).psps
    assert (first.name, second.name, first.lines) == ("psp", "psp2", second.lines)
    assert not {capture.eff for capture in first.captures} & {capture.eff for capture in second.captures}


def test_a_second_psp_that_was_never_frozen_is_named(two):
    assert tripped(two(frozen=False)) == {"psp_chain": f"{codes.PSP_CHAIN_BROKEN}: psp2: it was never frozen"}


def test_a_second_journal_that_is_gone_is_named(two):
    run = two()
    (run.psp_folder("psp2") / "journal.jsonl").unlink()
    assert tripped(run)["psp_chain"] == f"{codes.PSP_CHAIN_BROKEN}: psp2: there is no journal"


def test_a_changed_byte_in_the_second_journal_breaks_its_chain(two):
    run = two()
    path = run.psp_folder("psp2") / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"amount":4998', b'"amount":4999', 1))
    assert "psp2: journal line" in tripped(run)["psp_chain"]


def test_traffic_to_the_first_psp_is_none_of_the_second(two, drill):
    place = "payments-1->psp2"
    for line in (*drill.lines("fault"), drill.plan["faults"][0]):
        line["where" if "where" in line else "places"] = [place]
    drill.drop_timeline("counters")
    assert tripped(two()) == {}, "its own log says that it was charged"


def test_a_second_psp_that_was_idle_had_no_traffic(two, drill):
    for line in (*drill.lines("fault"), drill.plan["faults"][0]):
        line["where" if "where" in line else "places"] = ["payments-1->psp2"]
    drill.drop_timeline("counters")
    run = two()
    journal = run.psp_folder("psp2") / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    assert "traffic_on_fault" in tripped(run)


def test_a_judgement_reads_each_journal_once(two, monkeypatch):
    run, read = two(), []

    def counted(path):
        read.append(path)
        return read_journal(path)

    monkeypatch.setattr(journals, "read_journal", counted)
    verdict = judging.judge(run)
    judging.write_outcome(run, verdict)
    assert sorted(path.parent.name for path in read) == ["psp", "psp2"]
