"""Whole run folders judged: healthy, broken, and crashed at every phase."""

from __future__ import annotations

import json
import time
from pathlib import Path

import jsonschema
import pytest

import paydrill.judge as judging
from paydrill.errors import UsageError
from paydrill.guards import codes
from paydrill.judge import judge, write_outcome
from paydrill.run_folder import RunFolder
from paydrill.verdict import Finding, InvariantResult, Money
from paydrill.verdict_file import read_verdict, to_bytes

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "verdict.schema.json").read_text())
HELD = (InvariantResult("I-01", "no standing double charge", "pass", 400),)
BROKEN = (
    InvariantResult(
        "I-01",
        "no standing double charge",
        "fail",
        400,
        (Finding("i3", "charged twice", (Money("USD", 4998), Money("JPY", 500)), ("op7", "eff3")),),
    ),
)
PHASES = ("starting", "steady", "load", "fault", "healing", "quiescing", "collecting")


@pytest.fixture
def results(monkeypatch):
    """What the invariants say, without running them; a test may change the list."""
    said = list(HELD)
    monkeypatch.setattr(judging, "_invariants", lambda run, facts, journals, limit: tuple(said))
    return said


def judged(run: RunFolder) -> dict:
    """Judge, write, and check the document that was written against the schema."""
    verdict = judge(run)
    write_outcome(run, verdict)
    document = json.loads(run.verdict.read_bytes())
    jsonschema.validate(document, SCHEMA)
    assert read_verdict(run) == verdict
    names = {path.name for path in run.path.iterdir()}
    assert {"verdict.json", "report.html", "junit.xml", "summary.md"} <= names
    assert not [name for name in names if name.startswith(".")]
    return document


def code_set(document: dict) -> set[str]:
    return {reason["code"] for reason in document["reasons"]}


def test_a_healthy_drill_passes(drill, results, tmp_path):
    document = judged(drill.write(tmp_path / "run"))
    assert (document["verdict"], document["exit_code"], document["reasons"]) == ("pass", 0, [])
    assert document["load"] == {
        "intents": 400, "ok": 400, "fail": 0, "info": 0, "dropped": 0, "during_faults": 240, "ops": 800,
        "classes": [{"name": "checkout", "arrivals": 400, "as_declared": 400, "signature": "a paid order", "signatures": 400}],
        "left_out": [],
    }  # fmt: skip
    assert document["faults"] == [
        {"fault": "timeout", "where": "payments-1->psp", "start_s": 5.0, "end_s": 11.0, "witnessed": True,
         "witness": "silence for 800 ms"}
    ]  # fmt: skip
    assert document["versions"] == {"paydrill": "0.1.0", "toxiproxy": "2.12.0"}
    assert document["recovery"]["settle_s"] == 1.5


def test_the_keys_of_the_document_are_those_of_the_contract(drill, results, tmp_path):
    document = judged(drill.write(tmp_path / "run"))
    assert list(document) == [
        "schema",
        "verdict",
        "exit_code",
        "reasons",
        "scenario",
        "topology",
        "backend",
        "target",
        "mutant",
        "seed",
        "started",
        "duration_s",
        "overhead_s",
        "invariants",
        "guards",
        "slos",
        "recovery",
        "faults",
        "load",
        "versions",
        "warnings",
        "run",
    ]


def test_a_breach_fails(drill, results, tmp_path):
    results[:] = BROKEN
    document = judged(drill.write(tmp_path / "run"))
    assert (document["verdict"], document["exit_code"]) == ("fail", 1)
    assert document["invariants"][0]["findings"][0]["money_at_risk"] == [
        {"currency": "USD", "minor": 4998},
        {"currency": "JPY", "minor": 500},
    ]


@pytest.mark.parametrize("phase", PHASES)
def test_a_drill_killed_in_a_phase_is_inconclusive_whatever_was_found(phase, drill, results, tmp_path):
    results[:] = BROKEN
    drill.cut_after(phase)
    document = judged(drill.write(tmp_path / "run"))
    assert (document["verdict"], document["exit_code"]) == ("inconclusive", 3)
    assert codes.INTERRUPTED in code_set(document)


def test_a_drill_killed_while_judging_gets_the_verdict_of_its_evidence(drill, results, tmp_path):
    drill.cut_after("judging")
    drill.end = True
    assert judged(drill.write(tmp_path / "run"))["verdict"] == "pass"


def test_a_folder_with_only_scenario_and_run_is_inconclusive(tmp_path):
    run = RunFolder(tmp_path)
    run.scenario.write_text("name: steady\n")
    run.run.write_text('{"run_id": "r", "scenario": "steady", "seed": 1}')
    document = judged(run)
    assert document["verdict"] == "inconclusive"
    assert {codes.INTERRUPTED, codes.LOAD_NEVER_RAN, codes.NOTHING_EXAMINED} <= code_set(document)
    assert document["run"] == "r"


def test_an_empty_folder_is_inconclusive(tmp_path):
    assert judged(RunFolder(tmp_path))["verdict"] == "inconclusive"


HOSTILE = {
    "scenario.yaml": b"\xff\xfe not: [yaml",
    "plan.json": b'{"faults": 7, "load": {"segments": "x"}, "seed": "y", "timing": [1]}',
    "run.json": b'{"versions": [], "expect": {"slo": {"p99_ms": 5}, "windows": [1, {"name": 2}]}, "seed": 1e400}',
    "timeline.jsonl": b'{"kind": "fault", "id": "x", "t": "now"}\n[]\nnull\n{"t": 1, "kind": "heal", "id": 3}\n'
    b'{"t": 2, "kind": "fault", "id": 3, "where": [1, {}], "expects": 4}\n{"seq":',
    "history-0.jsonl": b'{"kind": "return", "op": []}\n{"kind": "invoke", "t": -1, "op": 1}\n\x00\xff\n{"kind": "done"}\n',
    "psp/journal.jsonl": b"zz {}\n"
    + b"0" * 64
    + b' {"kind": "effect", "effects": [3, {"kind": "capture"}]}\n\n',
}


def test_a_hostile_folder_is_judged_without_a_stack_trace(results, tmp_path):
    (tmp_path / "psp").mkdir()
    for name, data in HOSTILE.items():
        (tmp_path / name).write_bytes(data)
    document = judged(RunFolder(tmp_path))
    assert document["verdict"] == "inconclusive"
    assert {codes.RECORDER_INCOMPLETE, codes.PSP_CHAIN_BROKEN} <= code_set(document)


@pytest.mark.parametrize("name", ["plan.json", "timeline.jsonl", "history-0.jsonl", "psp/journal.jsonl"])
def test_a_missing_file_is_inconclusive_never_an_error(name, drill, results, tmp_path):
    run = drill.write(tmp_path / "run")
    (run.path / name).unlink()
    assert judged(run)["verdict"] == "inconclusive"


def test_without_run_json_the_scenario_says_what_was_expected(drill, results, tmp_path):
    drill.scenario = "name: psp-response-lost\nexpect: {min_ok: 100000}\n"
    run = drill.write(tmp_path / "run")
    run.run.unlink()
    assert code_set(judged(run)) == {codes.TOO_FEW_OK_BEFORE, codes.TOO_FEW_OK_AFTER}


def test_a_crash_of_the_invariants_is_a_reason(drill, monkeypatch, tmp_path):
    def crash(run, facts, journals, limit):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(judging, "_invariants", crash)
    document = judged(drill.write(tmp_path / "run"))
    assert document["verdict"] == "inconclusive"
    crashed = [reason for reason in document["reasons"] if reason["code"] == codes.CHECKER_CRASHED]
    assert crashed and "out of memory" in crashed[0]["detail"]


# -- traffic classes


def test_a_second_wish_is_an_intent_and_no_arrival(drill, results, tmp_path):
    lines = [line for line in drill.history if line.get("intent") in (1, 2)]
    for line in lines:
        if line["kind"] == "intent":
            line.update(arrival=1, checkout=line["intent"] == 1)
        if line["kind"] == "done" and line["intent"] == 2:
            del line["as_declared"], line["signature"]
    document = judged(drill.write(tmp_path / "run"))
    assert document["load"]["intents"] == 399, "the second wish says that it is no checkout"
    (checkout,) = document["load"]["classes"]
    assert (checkout["arrivals"], checkout["as_declared"], checkout["signatures"]) == (399, 399, 399)


def test_a_class_that_was_left_out_is_told_and_warned_of(drill, results, tmp_path):
    drill.plan["load"]["left_out"] = ["challenge"]
    document = judged(drill.write(tmp_path / "run"))
    assert document["load"]["left_out"] == ["challenge"]
    assert "the traffic class challenge was left out: the target does not offer it" in document["warnings"]
    assert document["verdict"] == "pass"


# -- a machine that did not keep up


def slow_host(drill):
    drill.lines("load_end")[0]["lag_p99_ms"] = 900.0


def test_a_slow_host_doubts_what_was_late_and_keeps_what_was_charged_twice(drill, results, tmp_path):
    slow_host(drill)
    late = InvariantResult("I-15", "settles", "fail", 10, BROKEN[0].findings)
    results[:] = [*HELD, late]
    document = judged(drill.write(tmp_path / "a"))
    assert (document["verdict"], code_set(document)) == ("inconclusive", {codes.HOST_UNFIT})
    results[:] = [*BROKEN, late]
    assert judged(drill.write(tmp_path / "b"))["verdict"] == "fail"


def test_a_slow_host_on_which_all_was_in_time_passes_with_a_warning(drill, results, tmp_path):
    slow_host(drill)
    results[:] = [*HELD, InvariantResult("I-15", "settles", "pass", 10)]
    drill.meta["expect"]["slo"] = {"p99_ms": "< 9000"}
    document = judged(drill.write(tmp_path / "run"))
    assert document["verdict"] == "pass"
    assert any("900 ms late" in warning for warning in document["warnings"])


def test_a_missed_latency_on_a_slow_host_proves_nothing(drill, results, tmp_path):
    slow_host(drill)
    drill.meta["expect"]["slo"] = {"p99_ms": "< 10"}
    document = judged(drill.write(tmp_path / "run"))
    assert document["verdict"] == "inconclusive"
    assert codes.HOST_UNFIT in code_set(document)


def full_host(drill):
    drill.lines("host")[0]["full_s"] = 12.0


def test_a_missed_service_level_beside_full_processors_proves_nothing(drill, results, tmp_path):
    full_host(drill)
    drill.meta["expect"]["slo"] = {"availability": ">= 1.1"}
    document = judged(drill.write(tmp_path / "run"))
    assert (document["verdict"], code_set(document)) == ("inconclusive", {codes.HOST_UNFIT})
    assert any("full for 12 s" in warning for warning in document["warnings"])


def test_full_processors_excuse_no_missed_deadline_and_no_double_charge(drill, results, tmp_path):
    full_host(drill)
    late = InvariantResult("I-15", "settles", "fail", 10, BROKEN[0].findings)
    results[:] = [*HELD, late]
    assert judged(drill.write(tmp_path / "a"))["verdict"] == "fail"
    results[:] = BROKEN
    assert judged(drill.write(tmp_path / "b"))["verdict"] == "fail"


def test_processors_that_were_full_for_a_moment_excuse_nothing(drill, results, tmp_path):
    drill.lines("host")[0]["full_s"] = 2.0
    drill.meta["expect"]["slo"] = {"availability": ">= 1.1"}
    document = judged(drill.write(tmp_path / "run"))
    assert (document["verdict"], code_set(document)) == ("fail", {codes.SLO_FAILED})


# -- evidence


@pytest.fixture
def folds(monkeypatch):
    """Counts the foldings; nothing is judged."""
    import paydrill.evidence.fold as folding
    import paydrill.invariants.child as child

    done = []

    def fold(run, journals):
        run.evidence.mkdir(exist_ok=True)
        done.append(run.path)

    monkeypatch.setattr(folding, "fold", fold)
    monkeypatch.setattr(child, "Checker", EverythingHeld)
    return done


class EverythingHeld:
    """A checker that judges nothing."""

    def __init__(self, ids):
        self.ids = ids

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def judge(self, run, wall_limit_s):
        return HELD


def test_evidence_is_folded_once(drill, folds, tmp_path):
    run = drill.write(tmp_path / "run")
    assert judge(run).verdict == "pass"
    assert judge(run).verdict == "pass"
    assert len(folds) == 1


def test_half_folded_evidence_is_folded_again(drill, folds, tmp_path):
    run = drill.write(tmp_path / "run")
    run.evidence.mkdir()
    (run.evidence / "op.parquet").write_bytes(b"PAR1")
    judge(run)
    assert len(folds) == 1


def test_evidence_without_the_raw_files_is_left_as_it_is(folds, tmp_path):
    run = RunFolder(tmp_path)
    run.evidence.mkdir()
    judge(run)
    assert folds == []


def test_an_unknown_invariant_is_a_reason(drill, tmp_path):
    drill.meta["expect"]["invariants"] = ["I-99"]
    document = judged(drill.write(tmp_path / "run"))
    assert document["verdict"] == "inconclusive"
    assert any("I-99" in reason["detail"] for reason in document["reasons"])


# -- overhead


def moved_to_now(drill) -> None:
    """The same drill, but its judging begins now."""
    shift = time.monotonic_ns() - drill.timeline[-1]["t"]
    for line in [*drill.timeline, *drill.history, *drill.journal]:
        for key in ("t", "t0", "due"):
            if key in line:
                line[key] += shift
    drill.meta["command_t_ns"] += shift


def test_overhead_is_what_is_neither_load_nor_settling(drill, results, tmp_path):
    moved_to_now(drill)
    run = drill.write(tmp_path / "run")
    # From the command to the judging 27.3 s went by, 20 of them load and 1.5 settling.
    assert 5.8 <= judge(run).overhead_s < 15


def test_judging_again_keeps_the_overhead_of_the_first_time(drill, results, tmp_path):
    moved_to_now(drill)
    run = drill.write(tmp_path / "run")
    first = judge(run)
    write_outcome(run, first)
    assert judge(run).overhead_s == first.overhead_s


def test_a_run_of_long_ago_has_no_overhead(drill, results, tmp_path):
    assert judge(drill.write(tmp_path / "run")).overhead_s is None


# -- the document


def test_every_reason_code_is_explained():
    text = (DOCS / "verdict.md").read_text()
    assert [code for code in codes.KNOWN if f"`{code}`" not in text] == []


def test_the_codes_marked_as_not_trustworthy_are_those_of_the_merge():
    lines = (DOCS / "verdict.md").read_text().splitlines()
    marked = {line.split("`")[1] for line in lines if line.startswith("| `") and "` † |" in line}
    assert marked == codes.EVIDENCE_NOT_TRUSTWORTHY


def test_every_key_is_explained():
    text = (DOCS / "verdict.md").read_text().partition("## Keys")[2]
    explained = ("schema", "verdict", "exit_code")  # explained above the table
    assert [key for key in SCHEMA["properties"] if f"`{key}`" not in text and key not in explained] == []


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"schema": "paydrill/verdict/9", "verdict": "pass"}', "\x00"]
)
def test_what_is_no_verdict_is_said_to_be_none(text, tmp_path):
    run = RunFolder(tmp_path)
    run.verdict.write_text(text)
    with pytest.raises(UsageError, match=r"no verdict here|not a verdict of"):
        read_verdict(run)


def test_a_lone_surrogate_does_not_stop_the_writing(drill, results, tmp_path):
    results[:] = [InvariantResult("I-01", "bad \ud800 name", "pass", 1)]
    verdict = judge(drill.write(tmp_path / "run"))
    assert b"bad ? name" in to_bytes(verdict)


def test_a_run_folded_for_real_says_what_was_folded(drill, tmp_path):
    """The whole way with the real fold and the real invariants: nothing crashes, nothing is torn."""
    drill.meta["facts_offered"] = []
    document = judged(drill.write(tmp_path / "run"))
    assert codes.CHECKER_CRASHED not in code_set(document), document["reasons"]
    guards = {guard["name"]: guard for guard in document["guards"]}
    assert "readings became evidence" in guards["evidence_whole"]["detail"], guards["evidence_whole"]
    assert not guards["evidence_whole"]["detail"].startswith("0 ")
    examined = {result["id"]: result["examined"] for result in document["invariants"]}
    assert examined["I-01"] == 400 and examined["I-06"] == 400
