"""The runner: populations, undecided subjects, crashes, missing tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paydrill.evidence.reader import given_tables
from paydrill.invariants.catalogue import Invariant, chosen, known
from paydrill.invariants.runner import judge, judge_one

RULE = Invariant(
    id="I-99", name="made-up", title="t", severity="S0", bucket="customer", kind="query", needs=("intent",), uses=(),
    events=("pay", "capture"), rule="r", pop="SELECT 'i' || intent AS subject, intent, amount, currency FROM intent",
    sql="SELECT subject, intent, true AS held, amount, currency, 'why' AS why FROM pop",
)  # fmt: skip


@pytest.fixture
def opened(drill):
    for _ in range(3):
        drill.checkout()
    with drill.standard_end().opened() as connection:
        yield connection


def judged(connection, invariant):
    return judge_one(connection, invariant, given_tables(connection))


def code(result):
    return result.detail.split(":")[0]


def with_sql(sql):
    return replace(RULE, sql=sql)


def test_every_subject_that_held_is_counted(opened):
    result = judged(opened, RULE)
    assert (result.id, result.name, result.verdict, result.examined) == ("I-99", "made-up", "pass", 3)


def test_a_rule_that_multiplies_subjects_is_inconclusive(opened):
    rule = with_sql(
        "SELECT subject, pop.intent, true AS held, amount, currency, 'w' AS why FROM pop LEFT JOIN (SELECT intent FROM op) AS o ON o.intent = pop.intent"
    )
    result = judged(opened, rule)
    assert (result.verdict, code(result)) == ("inconclusive", "population_mismatch")


def test_a_rule_that_answers_for_other_subjects_is_inconclusive(opened):
    rule = with_sql(
        "SELECT subject || 'x' AS subject, intent, true AS held, amount, currency, 'w' AS why FROM pop"
    )
    assert code(judged(opened, rule)) == "population_mismatch"


def test_a_population_that_names_a_subject_twice_is_inconclusive(opened):
    rule = replace(RULE, pop="SELECT 'all' AS subject, intent, amount, currency FROM intent")
    assert code(judged(opened, rule)) == "population_mismatch"


def test_lost_rows_are_noticed_even_where_the_linter_is_deceived(opened, monkeypatch):
    monkeypatch.setattr("paydrill.invariants.runner.lint", lambda connection, invariant: [])
    rule = with_sql(
        "SELECT subject, intent, true AS held, amount, currency, 'w' AS why FROM pop WHERE intent < 3"
    )
    result = judged(opened, rule)
    assert (result.verdict, code(result)) == ("inconclusive", "population_mismatch")


def test_a_null_is_undecided_and_never_held(opened):
    rule = with_sql(
        "SELECT subject, intent, CASE WHEN intent < 3 THEN true END AS held, amount, currency, 'nobody looked' AS why FROM pop"
    )
    result = judged(opened, rule)
    assert (result.verdict, result.examined, code(result)) == ("inconclusive", 3, "undecided")
    assert "1 of 3 subjects: i3 (nobody looked)" in result.detail


def test_a_breach_counts_although_others_are_undecided(opened):
    rule = with_sql(
        "SELECT subject, intent, CASE WHEN intent = 1 THEN false END AS held, amount, currency, 'w' AS why FROM pop"
    )
    result = judged(opened, rule)
    assert (result.verdict, len(result.findings)) == ("fail", 1)


def test_a_table_that_nobody_read_makes_it_not_examined(opened):
    result = judged(opened, replace(RULE, needs=("intent", "stock", "alert")))
    assert (result.verdict, result.examined, code(result)) == ("not_examined", 0, "not_given")
    assert "stock, alert" in result.detail


def test_a_population_without_subjects_is_not_a_pass(opened):
    result = judged(opened, replace(RULE, pop=f"{RULE.pop} WHERE amount < 0"))
    assert (result.verdict, result.examined, code(result)) == ("not_examined", 0, "no_subject")


def test_a_rule_that_crashes_is_inconclusive_and_the_others_go_on(opened):
    broken = with_sql(
        "SELECT subject, intent, error('boom')::BOOLEAN AS held, amount, currency, 'w' AS why FROM pop"
    )
    missing = with_sql("SELECT subject, intent, nowhere AS held, amount, currency, 'w' AS why FROM pop")
    first, second, third = judge(opened, [broken, missing, RULE])
    assert [first.verdict, second.verdict, third.verdict] == ["inconclusive", "inconclusive", "pass"]
    assert code(first) == code(second) == "checker_crashed"
    assert "boom" in first.detail


def test_a_rule_that_the_linter_refuses_is_not_run(opened):
    result = judged(opened, with_sql("DELETE FROM given"))
    assert (result.verdict, code(result)) == ("inconclusive", "checker_crashed")
    assert given_tables(opened)


def test_a_pass_on_a_history_that_ends_early_is_inconclusive(drill):
    drill.checkout()
    drill.history_ends = False
    with drill.standard_end().opened() as connection:
        result = judged(connection, RULE)
    assert (result.verdict, code(result)) == ("inconclusive", "undecided")
    assert "no `end` line" in result.detail


def test_the_events_of_a_finding_are_those_that_the_rule_names_in_order_of_time(drill):
    intent, token, _ = drill.checkout()
    drill.capture(token, at=1.9)
    with drill.standard_end().opened() as connection:
        (finding,) = judged(
            connection,
            with_sql("SELECT subject, intent, false AS held, 5 AS amount, currency, 'w' AS why FROM pop"),
        ).findings
    assert finding.intent == f"i{intent}"
    assert finding.events == ("eff2", "op2", "eff1")


def test_findings_are_listed_up_to_a_bound_and_counted_beyond_it(opened, monkeypatch):
    monkeypatch.setattr("paydrill.invariants.runner.MAX_FINDINGS", 2)
    result = judged(
        opened,
        with_sql("SELECT subject, intent, false AS held, 5 AS amount, currency, 'w' AS why FROM pop"),
    )
    assert (len(result.findings), result.detail.split(",")[0]) == (2, "3 findings")


def test_a_sum_that_no_column_can_hold_is_inconclusive_and_never_wraps(drill):
    from paydrill.invariants.child import judge_invariants

    _, token, _ = drill.checkout(amount=2**62, captured=False)
    for at in (2.1, 2.5, 2.9):
        drill.capture(token, 2**62, at=at)
    run = drill.standard_end().folded()
    (result,) = judge_invariants(run, ("I-01",))
    assert (result.verdict, code(result)) == ("inconclusive", "checker_crashed")


def test_all_of_the_catalogue_judge_a_good_drill_as_a_pass(drill):
    intent, _, _ = drill.checkout()
    drill.order_row(intent)
    drill.payment_row(intent)
    results = drill.standard_end().judge()
    assert {id_: result.verdict for id_, result in results.items()} == dict.fromkeys(
        [each.id for each in known()], "pass"
    )
    assert all(result.examined == 1 or result.id == "I-31" for result in results.values())


def test_an_unknown_id_is_wrong_usage():
    from paydrill.errors import UsageError

    with pytest.raises(UsageError, match=r"I-77.*known are I-01"):
        chosen(("I-01", "I-77"))
