"""I-04: what was acknowledged is still there at the end."""

from __future__ import annotations

import pytest


def with_database(drill, intent, state="paid"):
    drill.order_row(intent, state)
    drill.payment_row(intent)


def test_an_order_that_is_shown_as_paid_holds(drill):
    drill.checkout()
    result = drill.standard_end().judge("I-04")
    assert (result.verdict, result.examined) == ("pass", 1)
    assert "not: sut_fact" in result.detail


def test_an_acknowledged_order_that_is_gone_is_lost(drill):
    intent, _, _ = drill.checkout(final=None)
    drill.final_gone(intent)
    (finding,) = drill.standard_end().judge("I-04").findings
    assert (finding.intent, finding.summary) == (f"i{intent}", "acknowledged and gone")
    assert finding.money_at_risk[0].minor == 1000


def test_an_order_of_which_only_the_creation_was_acknowledged_may_not_be_lost_either(drill):
    intent = drill.intent()
    drill.create(intent)
    drill.final_gone(intent)
    assert drill.standard_end().judge("I-04").verdict == "fail"


def test_an_order_that_was_never_acknowledged_may_be_missing(drill):
    drill.checkout()
    intent = drill.intent()
    drill.op("create", intent, 1.2, outcome="info", status=None, err="timeout")
    drill.final_gone(intent)
    result = drill.standard_end().judge("I-04")
    assert (result.verdict, result.examined) == ("pass", 1)


@pytest.mark.parametrize("how", ["none", "unanswered", "eventual"])
def test_without_a_definite_strong_final_read_it_is_undecided(drill, how):
    intent, _, _ = drill.checkout(final=None)
    if how == "unanswered":
        drill.final_unanswered(intent)
    if how == "eventual":
        drill.final(intent, strong=False)
    result = drill.standard_end().judge("I-04")
    assert (result.verdict, result.examined, result.detail.split(":")[0]) == ("inconclusive", 1, "undecided")


def test_the_last_definite_read_counts(drill):
    intent, _, _ = drill.checkout(final=None)
    drill.final_unanswered(intent, at=39.0)
    drill.final(intent, at=40.0)
    drill.final_unanswered(intent, at=41.0)
    assert drill.standard_end().judge("I-04").verdict == "pass"


def test_a_paid_order_that_went_back_is_a_finding(drill):
    drill.checkout(final="payment_failed")
    (finding,) = drill.standard_end().judge("I-04").findings
    assert finding.summary == "acknowledged as paid, then no longer paid"


def test_a_read_that_said_paid_is_an_acknowledgement(drill):
    intent = drill.intent()
    drill.create(intent)
    drill.pay_lost(intent, drill.token(intent))
    drill.op("read", intent, 9.0, said="paid")
    drill.final(intent, "cancelled")
    assert drill.standard_end().judge("I-04").verdict == "fail"


def test_an_accepted_payment_may_still_fail(drill):
    intent = drill.intent()
    drill.create(intent)
    drill.pay(intent, drill.token(intent), status=202, said="payment_pending")
    drill.final(intent, "payment_failed")
    assert drill.standard_end().judge("I-04").verdict == "pass"


def test_a_paid_order_that_the_customer_cancelled_may_be_cancelled(drill):
    intent, _, _ = drill.checkout(final="cancelled")
    drill.op("cancel", intent, 9.0, said="cancelled")
    assert drill.standard_end().judge("I-04").verdict == "pass"


def test_a_cancel_that_was_refused_excuses_nothing(drill):
    intent, _, _ = drill.checkout(final="cancelled")
    drill.op("cancel", intent, 9.0, outcome="fail", status=409, code="state_conflict", executed=False)
    assert drill.standard_end().judge("I-04").verdict == "fail"


def test_another_total_than_acknowledged_is_a_finding(drill):
    intent, _, _ = drill.checkout(final=None)
    drill.final(intent, said_amount=999)
    (finding,) = drill.standard_end().judge("I-04").findings
    assert finding.summary == "shown with another total than acknowledged"


def test_read_and_database_that_agree_hold_and_are_named(drill):
    intent, _, _ = drill.checkout()
    with_database(drill, intent)
    result = drill.standard_end().judge("I-04")
    assert (result.verdict, result.detail) == ("pass", "compared: intent, op, sut_fact")


def test_a_row_missing_in_the_database_that_the_read_shows_is_a_finding(drill):
    kept, _, _ = drill.checkout()
    missing, _, _ = drill.checkout()
    with_database(drill, kept)
    (finding,) = drill.standard_end().judge("I-04").findings
    assert (finding.intent, finding.summary) == (f"i{missing}", "read_and_database_differ")


def test_a_database_that_says_otherwise_than_the_read_is_a_finding(drill):
    intent, _, _ = drill.checkout()
    with_database(drill, intent, "payment_failed")
    (finding,) = drill.standard_end().judge("I-04").findings
    assert finding.summary == "read_and_database_differ"


def test_a_database_that_has_moved_on_since_the_read_does_not_differ(drill):
    intent = drill.intent()
    drill.create(intent)
    drill.pay(intent, drill.token(intent), status=202, said="payment_pending")
    drill.final(intent, "payment_pending", at=38.0)
    with_database(drill, intent, "paid")
    assert drill.standard_end().judge("I-04").verdict == "pass"


def test_a_snapshot_that_could_not_be_read_accuses_nobody(drill):
    drill.checkout()
    drill.snapshot(1, complete=False)
    result = drill.standard_end().judge("I-04")
    assert (result.verdict, "not: sut_fact" in result.detail) == ("pass", True)


def test_the_last_snapshot_counts_and_not_an_earlier_one(drill):
    intent, _, _ = drill.checkout()
    drill.snapshot(1, at=30.0)
    drill.order_row(intent, "payment_failed", snap=1)
    drill.order_row(intent, "paid", snap=2)
    assert drill.standard_end().judge("I-04").verdict == "pass"


def test_a_paid_order_in_a_state_that_the_target_does_not_map_is_undecided(drill):
    drill.checkout(final="teleported")
    assert drill.standard_end().judge("I-04").verdict == "inconclusive"


def test_two_acknowledged_orders_of_one_cart_must_both_be_there(drill):
    intent, _, _ = drill.checkout()
    drill.create(intent, at=1.4, order_ref="ord-second")
    drill.op("final", intent, 40.5, outcome="fail", status=404, executed=False, order_ref="ord-second")
    result = drill.standard_end().judge("I-04")
    assert (result.verdict, result.examined, len(result.findings)) == ("fail", 2, 1)
