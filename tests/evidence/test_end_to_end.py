"""A whole synthetic run folder with a planted double charge and a lost order among good checkouts."""

from __future__ import annotations

from paydrill.evidence.fold import fold
from paydrill.invariants.child import judge_invariants
from paydrill.verdict import Money


def planted(drill, count=40):
    for _ in range(count):
        intent, _, _ = drill.checkout()
        drill.order_row(intent)
        drill.payment_row(intent)
    twice, token, _ = drill.checkout(amount=4350)
    drill.capture(token, 4350, at=3.3)
    drill.order_row(twice)
    drill.payment_row(twice)
    lost, _, _ = drill.checkout(amount=815, final=None)
    drill.final_gone(lost)
    return twice, lost


def test_each_planted_breach_is_found_by_its_rules_and_nothing_else_is(drill):
    twice, lost = planted(drill)
    run = drill.standard_end().write()
    fold(run)
    results = {result.id: result for result in judge_invariants(run, None)}
    found = {id_: [finding.intent for finding in result.findings] for id_, result in results.items()}
    assert found == {
        "I-01": [f"i{twice}"],
        "I-02": [f"i{twice}"],
        "I-04": [f"i{lost}"],
        "I-05": [f"i{lost}"],
        "I-06": [],
        "I-08": [],
        "I-15": [],
        "I-31": [],
        "I-43": [],
    }
    assert results["I-01"].findings[0].money_at_risk == (Money("USD", 4350),)
    assert results["I-04"].findings[0].money_at_risk == (Money("USD", 815),)
    assert results["I-01"].examined == 42
    assert all(finding.events for result in results.values() for finding in result.findings)


def test_the_same_drill_without_the_breaches_passes_everything(drill):
    for _ in range(10):
        intent, _, _ = drill.checkout()
        drill.order_row(intent)
        drill.payment_row(intent)
    run = drill.standard_end().folded()
    assert {result.verdict for result in judge_invariants(run, None)} == {"pass"}


def test_with_read_back_and_our_psp_alone_the_money_rules_still_judge(drill):
    twice, _ = planted(drill, 5)
    drill.snapshots.clear()
    results = {result.id: result for result in judge_invariants(drill.standard_end().folded(), None)}
    assert [finding.intent for finding in results["I-01"].findings] == [f"i{twice}"]
    assert {id_: result.verdict for id_, result in results.items()} == {
        "I-01": "fail", "I-02": "fail", "I-04": "fail", "I-05": "fail", "I-06": "pass",
        "I-08": "pass", "I-15": "pass", "I-31": "pass", "I-43": "pass",
    }  # fmt: skip
    assert results["I-05"].detail.endswith("not: sut_fact")


def test_a_run_that_was_killed_in_the_fault_is_judged_without_a_pass_or_an_error(drill):
    planted(drill, 5)
    drill.history = [line for line in drill.history if line["t"] < 1_010_000_000_000]
    drill.history_ends = False
    drill.snapshots.clear()
    drill.fault(until=None)
    results = judge_invariants(drill.folded(), None)
    assert "pass" not in {result.verdict for result in results}
    assert {result.id for result in results if result.verdict == "fail"} <= {"I-02"}
