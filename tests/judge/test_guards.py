"""Every guard on a healthy drill (held), and on the same drill with one thing broken (tripped)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from paydrill.guards import codes, known, run_guards
from paydrill.guards.facts import ReadingFact
from paydrill.guards.read_facts import read_facts
from paydrill.verdict import GuardResult, InvariantResult, SloResult

EXAMINED = (InvariantResult("I-01", "no standing double charge", "pass", 400),)


def guards_of(drill, tmp_path, results=EXAMINED) -> dict[str, GuardResult]:
    facts = replace(read_facts(drill.write(tmp_path / "run")), results=results)
    return {guard.name: guard for guard in run_guards(facts)}


def tripped(guards: dict[str, GuardResult]) -> dict[str, str]:
    return {name: guard.code for name, guard in guards.items() if guard.verdict != "pass"}


def test_every_guard_holds_on_a_healthy_drill(drill, tmp_path):
    guards = guards_of(drill, tmp_path)
    assert tripped(guards) == {}
    assert set(guards) == {guard.name for guard in known()}
    assert all(guard.detail for guard in guards.values())


def no_load(drill):
    drill.history = drill.history[:1]


def nothing_ok(drill):
    for line in drill.history:
        if line["kind"] in ("return", "done"):
            line["outcome"] = "fail"


def fault_at_once(drill):
    for line in drill.timeline:
        if line["kind"] == "fault":
            line["t"] -= 4_800_000_000


def healed_at_the_end_of_load(drill):
    for line in drill.lines("heal"):
        line["t"] += 9_000_000_000


def nothing_ok_in_fault(drill):
    slow = {line["op"] for line in drill.history if line["kind"] == "invoke" and in_fault(drill, line["t"])}
    for line in drill.history:
        if line["kind"] == "return" and line["op"] in slow:
            line["outcome"] = "info"


def in_fault(drill, t_ns):
    return drill.lines("fault")[0]["t"] <= t_ns < drill.lines("heal")[0]["t"]


def most_expected_and_few_ok(drill):
    drill.lines("fault")[0]["expects"] = "most"
    pays = {line["op"] for line in drill.history if line["kind"] == "invoke" and in_fault(drill, line["t"])}
    for line in drill.history:
        if line["kind"] == "return" and line["op"] in pays and line["op"] % 8:
            line["outcome"] = "info"


def momentary_fault(drill):
    drill.lines("heal")[0]["t"] = drill.lines("fault")[0]["t"] + 1_000_000
    drill.history = [
        line
        for line in drill.history
        if not (line["kind"] != "start" and in_quiet(drill, line.get("intent"), line))
    ]


def in_quiet(drill, intent, line):
    start = drill.lines("fault")[0]["t"]
    return abs(line["t"] - start) < 3_000_000_000


def on_an_edge_that_the_psp_does_not_see(drill):
    drill.lines("fault")[0]["where"] = ["orders-1->db-1"]


def idle_edge(drill):
    on_an_edge_that_the_psp_does_not_see(drill)
    for line in drill.lines("counters"):
        line["received"] = line["sent"] = 500 if line["when"] == "after" else 0


def counters_not_read(drill):
    on_an_edge_that_the_psp_does_not_see(drill)
    drill.drop_timeline("counters")


def test_payments_in_the_psps_own_log_are_traffic_of_its_edges_whatever_the_counters_say(drill, tmp_path):
    for line in drill.lines("counters"):
        line["received"] = line["sent"] = 0
    assert tripped(guards_of(drill, tmp_path)) == {}


def never_injected(drill):
    drill.drop_timeline("fault", "witness", "heal", "counters")


def its_event_never_came(drill):
    fault = drill.lines("fault")[0]
    index = drill.timeline.index(fault)
    never_injected(drill)
    detail = "psp.captured (3rd) did not come until 9 s after the load began; 2 had come"
    drill.timeline.insert(index, {"kind": "unfired", "t": fault["t"], "id": 1, "detail": detail})


def struck_too_late(drill):
    fault = drill.lines("fault")[0]
    line = {"kind": "released", "t": fault["t"], "id": 1, "in_time": False, "detail": "the answer was gone"}
    drill.timeline.insert(drill.timeline.index(fault) + 1, line)


def not_witnessed(drill):
    drill.lines("witness")[0]["witnessed"] = False


def nobody_looked(drill):
    drill.drop_timeline("witness")


def never_healed(drill):
    drill.drop_timeline("heal")


def healed_dirty(drill):
    drill.lines("heal")[0].update(clean=False, detail="toxic still there")


def hole_in_history(drill):
    for line in drill.history[500:]:
        line["seq"] = line.get("seq", 0) + 100_000


def answer_without_question(drill):
    drill.history.append({"t": drill.history[-1]["t"], "kind": "return", "op": 999_999, "outcome": "ok"})


def psp_died(drill):
    drill.timeline.append(
        {"t": drill.timeline[-1]["t"], "kind": "instrument_died", "name": "psp", "detail": "gone"}
    )


def watchdog_died(drill):
    drill.timeline.append({"t": drill.timeline[-1]["t"], "kind": "instrument_died", "name": "watchdog"})


def journal_rewritten(drill):
    drill.frozen = False
    drill.lines("psp_freeze")[0].update(n=10, head="0" * 64)


def journal_cut(drill):
    drill.frozen = False
    drill.lines("psp_freeze")[0].update(n=999_999, head="0" * 64)


def lagging_host(drill):
    drill.lines("load_end")[0]["lag_p99_ms"] = 900.0


def stolen_host(drill):
    drill.lines("host")[0]["steal_pct"] = 60.0


def suspended_host(drill):
    drill.lines("host")[0]["suspended_s"] = 30.0


def full_host(drill):
    drill.lines("host")[0]["full_s"] = 30.0


def stopped_by_user(drill):
    drill.cut_after("quiescing")
    drill.end = True
    drill.timeline.append(
        {"t": drill.timeline[-1]["t"], "kind": "aborted", "code": "interrupted", "detail": "stop"}
    )


def not_ready(drill):
    drill.timeline.append(
        {"t": drill.timeline[-1]["t"], "kind": "aborted", "code": "stack_not_ready", "detail": "db-1"}
    )


def foreign_code(drill):
    drill.timeline.append({"t": drill.timeline[-1]["t"], "kind": "aborted", "code": "<b>x", "detail": "?"})


def window_asked(drill):
    drill.meta["expect"]["windows"] = [{"name": "psp_commit_then_killed", "at_least": 5}]


def unknown_window(drill):
    drill.meta["expect"]["windows"] = [{"name": "moon", "at_least": 1}]


def offered_and_not_read(drill):
    drill.meta["facts_offered"].append("transition")


def offered_and_read_in_part(drill):
    drill.readings["sut_fact-2"].update(complete=False, error="db-1 did not answer")


def no_journal(drill):
    drill.journal = []


CASES: list[tuple[Callable, str, str]] = [
    (no_load, "load_ran", codes.LOAD_NEVER_RAN),
    (nothing_ok, "load_ran", codes.LOAD_NEVER_RAN),
    (fault_at_once, "ok_before_fault", codes.TOO_FEW_OK_BEFORE),
    (healed_at_the_end_of_load, "ok_after_fault", codes.TOO_FEW_OK_AFTER),
    (nothing_ok_in_fault, "ok_in_fault", codes.TOO_FEW_OK_IN_FAULT),
    (most_expected_and_few_ok, "ok_in_fault", codes.TOO_FEW_OK_IN_FAULT),
    (momentary_fault, "ops_in_fault", codes.TOO_FEW_OPS_IN_FAULT),
    (idle_edge, "traffic_on_fault", codes.NO_TRAFFIC_ON_FAULT),
    (counters_not_read, "traffic_on_fault", codes.NO_TRAFFIC_ON_FAULT),
    (never_injected, "faults_witnessed", codes.FAULT_UNWITNESSED),
    (its_event_never_came, "faults_witnessed", codes.FAULT_UNWITNESSED),
    (struck_too_late, "faults_witnessed", codes.FAULT_UNWITNESSED),
    (not_witnessed, "faults_witnessed", codes.FAULT_UNWITNESSED),
    (nobody_looked, "faults_witnessed", codes.FAULT_UNWITNESSED),
    (never_healed, "faults_healed", codes.FAULT_NOT_HEALED),
    (healed_dirty, "faults_healed", codes.FAULT_NOT_HEALED),
    (hole_in_history, "recorder_complete", codes.RECORDER_INCOMPLETE),
    (answer_without_question, "recorder_complete", codes.RECORDER_INCOMPLETE),
    (psp_died, "instruments_alive", codes.INSTRUMENT_DIED),
    (watchdog_died, "instruments_alive", codes.WATCHDOG_DIED),
    (journal_rewritten, "psp_chain", codes.PSP_CHAIN_BROKEN),
    (journal_cut, "psp_chain", codes.PSP_CHAIN_BROKEN),
    (no_journal, "psp_chain", codes.PSP_CHAIN_BROKEN),
    (stopped_by_user, "drill_complete", codes.INTERRUPTED),
    (not_ready, "drill_complete", codes.STACK_NOT_READY),
    (foreign_code, "drill_complete", codes.ABORTED),
    (window_asked, "windows_hit", codes.WINDOW_MISSED),
    (offered_and_not_read, "facts_read", codes.FACTS_UNREAD),
    (offered_and_read_in_part, "facts_read", codes.FACTS_UNREAD),
    (unknown_window, "windows_hit", codes.WINDOW_MISSED),
]


@pytest.mark.parametrize(("break_it", "guard", "code"), CASES, ids=[case[0].__name__ for case in CASES])
def test_the_guard_trips_with_its_code(break_it, guard, code, drill, tmp_path):
    break_it(drill)
    guards = guards_of(drill, tmp_path)
    assert tripped(guards).get(guard) == code, guards[guard]


@pytest.mark.parametrize(
    "guard",
    [guard.name for guard in known() if guard.name not in ("populations", "evidence_whole", "host_fit")],
)
def test_every_guard_has_a_case_in_which_it_trips(guard):
    assert guard in {case[1] for case in CASES}


def test_an_instrument_that_was_started_anew_is_named_by_the_guard_that_holds(drill, tmp_path):
    said = {"kind": "instrument_restarted", "name": "toxiproxy", "detail": "DELETE: no answer"}
    drill.timeline.insert(-1, {"t": drill.timeline[-1]["t"], **said})
    guards = guards_of(drill, tmp_path)
    assert tripped(guards) == {}
    assert "toxiproxy was started anew" in guards["instruments_alive"].detail
    assert "DELETE: no answer" in guards["instruments_alive"].detail


def test_a_scenario_says_how_many_answers_its_faults_leave_possible_and_the_other_floors_stay(
    drill, tmp_path
):
    nothing_ok_in_fault(drill)
    drill.meta["expect"]["min_ok_in_fault"] = 0
    assert tripped(guards_of(drill, tmp_path / "none")) == {}
    momentary_fault(drill)
    assert tripped(guards_of(drill, tmp_path / "idle"))["ops_in_fault"] == codes.TOO_FEW_OPS_IN_FAULT


def test_a_scenario_may_ask_for_more_answers_than_its_fault_does(drill, tmp_path):
    drill.meta["expect"]["min_ok_in_fault"] = 100_000
    assert tripped(guards_of(drill, tmp_path)) == {"ok_in_fault": codes.TOO_FEW_OK_IN_FAULT}


def test_a_history_without_its_end_is_incomplete(drill, tmp_path):
    drill.end = False
    assert tripped(guards_of(drill, tmp_path)) == {"recorder_complete": codes.RECORDER_INCOMPLETE}


def test_a_torn_last_line_is_dropped_and_lacks_the_end(drill, tmp_path):
    run = drill.write(tmp_path / "run")
    path = run.histories()[0]
    path.write_bytes(path.read_bytes()[:-5])
    facts = replace(read_facts(run), results=EXAMINED)
    assert [g.code for g in run_guards(facts) if g.code] == [codes.RECORDER_INCOMPLETE]


def test_a_changed_byte_in_the_journal_breaks_the_chain(drill, tmp_path):
    run = drill.write(tmp_path / "run")
    run.psp_journal.write_bytes(run.psp_journal.read_bytes().replace(b'"amount":4998', b'"amount":4999', 1))
    facts = replace(read_facts(run), results=EXAMINED)
    assert [g.code for g in run_guards(facts) if g.code] == [codes.PSP_CHAIN_BROKEN]
    assert "hash does not follow" in facts.psps[0].broken


@pytest.mark.parametrize("carries", ["nothing", "silence"])
def test_an_edge_that_refuses_or_is_silent_needs_traffic_before_only(drill, tmp_path, carries):
    on_an_edge_that_the_psp_does_not_see(drill)
    for line in drill.lines("counters"):
        line["received"] = line["sent"] = 40_000
    assert tripped(guards_of(drill, tmp_path / "a"))["traffic_on_fault"] == codes.NO_TRAFFIC_ON_FAULT
    drill.lines("fault")[0]["carries"] = carries
    assert tripped(guards_of(drill, tmp_path / "b")) == {}
    for line in drill.lines("counters"):
        line["received"] = line["sent"] = 100
    assert tripped(guards_of(drill, tmp_path / "c"))["traffic_on_fault"] == codes.NO_TRAFFIC_ON_FAULT


def test_a_witness_that_says_much_is_no_traffic(drill, tmp_path):
    on_an_edge_that_the_psp_does_not_see(drill)
    for line in drill.lines("counters"):
        line["received"] = 40_000 if line["when"] == "before" else 60_000
        line["sent"] = 0
    assert tripped(guards_of(drill, tmp_path / "a")) == {}
    drill.lines("witness")[0]["measured"] = {"probe_bytes_per_edge": 30_000.0}
    assert tripped(guards_of(drill, tmp_path / "b"))["traffic_on_fault"] == codes.NO_TRAFFIC_ON_FAULT


def test_more_arrivals_are_traffic_themselves(drill, tmp_path):
    drill.lines("fault")[0] |= {"where": ["client->lb-1"], "carries": "arrivals"}
    drill.drop_timeline("counters")
    assert tripped(guards_of(drill, tmp_path)) == {}


def test_a_drill_without_faults_still_needs_customers(drill, tmp_path):
    drill.plan["faults"] = []
    drill.drop_timeline("fault", "witness", "heal", "counters")
    drill.history = drill.history[: 7 * 10]
    assert tripped(guards_of(drill, tmp_path))["load_ran"] == codes.TOO_FEW_OK_BEFORE


def nobody(number: str, detail: str) -> InvariantResult:
    return InvariantResult(number, "name", "not_examined", 0, (), detail)


EMPTY_PASS = InvariantResult("I-02", "name", "pass", 0)
POPULATIONS = [
    ("nothing at all", None, (), True),
    ("an empty pass", None, (*EXAMINED, EMPTY_PASS), True),
    ("no capture in the whole drill", None, (*EXAMINED, nobody("I-05", "no_subject: nothing")), True),
    (
        "no subject of a rule that not every drill meets",
        None,
        (*EXAMINED, nobody("I-36", "no_subject: x")),
        False,
    ),
    (
        "evidence that the target does not offer",
        None,
        (*EXAMINED, nobody("I-04", "not_given: needs x")),
        False,
    ),
    ("the same, but named", ("I-01", "I-04"), (*EXAMINED, nobody("I-04", "not_given: needs x")), True),
    ("named and without a result", ("I-01", "I-02"), EXAMINED, True),
    ("all named examined", ("I-01",), EXAMINED, False),
    ("nobody examined anything", None, (nobody("I-28", "not_given: needs delivery"),), True),
]


@pytest.mark.parametrize(
    ("what", "asked", "results", "trips"), POPULATIONS, ids=[case[0] for case in POPULATIONS]
)
def test_an_empty_population_is_no_pass(what, asked, results, trips, drill, tmp_path):
    drill.meta["expect"]["invariants"] = asked
    found = tripped(guards_of(drill, tmp_path, results))
    assert found == ({"populations": codes.NOTHING_EXAMINED} if trips else {})


LATE = InvariantResult("I-15", "settles", "inconclusive", 10, (), "host_unfit: 3 orders were open")
IN_TIME = InvariantResult("I-15", "settles", "pass", 10)


@pytest.mark.parametrize("break_it", [lagging_host, stolen_host, suspended_host])
def test_a_host_that_did_not_keep_up_trips_when_something_was_late(break_it, drill, tmp_path):
    break_it(drill)
    assert tripped(guards_of(drill, tmp_path, (*EXAMINED, LATE))) == {"host_fit": codes.HOST_UNFIT}


@pytest.mark.parametrize("break_it", [lagging_host, stolen_host, suspended_host])
def test_what_was_in_time_on_a_slow_host_was_in_time(break_it, drill, tmp_path):
    break_it(drill)
    guards = guards_of(drill, tmp_path, (*EXAMINED, IN_TIME))
    assert tripped(guards) == {}
    assert "even so" in guards["host_fit"].detail


def test_full_processors_trip_when_a_service_level_was_missed_and_not_over_a_deadline(drill, tmp_path):
    full_host(drill)
    facts = read_facts(drill.write(tmp_path / "run"))
    missed = SloResult("availability", "inconclusive", ">= 0.99", 0.97)
    kept = SloResult("availability", "pass", ">= 0.9", 0.97)
    for slo, found in ((missed, {"host_fit": codes.HOST_UNFIT}), (kept, {})):
        guards = run_guards(replace(facts, results=(*EXAMINED, LATE), slos=(slo,)))
        assert tripped({guard.name: guard for guard in guards}) == found


def test_half_a_ledger_is_no_evidence(drill, tmp_path):
    facts = read_facts(drill.write(tmp_path / "run"))
    half = (
        ReadingFact("psp_effect", 0, False, "journal line 2: no `stopped_by`"),
        ReadingFact("op", 0, True, ""),
    )
    guards = {guard.name: guard for guard in run_guards(replace(facts, results=EXAMINED, folded=half))}
    assert tripped(guards) == {"evidence_whole": codes.RECORDER_INCOMPLETE}
    assert "stopped_by" in guards["evidence_whole"].detail


def test_a_suspect_s_table_that_was_not_read_wholly_is_no_matter_of_ours(drill, tmp_path):
    facts = read_facts(drill.write(tmp_path / "run"))
    folded = (ReadingFact("transition", 2, False, "refused"),)
    assert tripped({g.name: g for g in run_guards(replace(facts, results=EXAMINED, folded=folded))}) == {}


def test_a_guard_that_crashes_is_no_guard_that_held(drill, tmp_path, monkeypatch):
    import paydrill.guards.host_fit as host_fit

    def crash(facts):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(host_fit, "check", crash)
    assert tripped(guards_of(drill, tmp_path)) == {"host_fit": codes.CHECKER_CRASHED}
