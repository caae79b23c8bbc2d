"""I-05: every charge has its paid order, or is given back in time."""

from __future__ import annotations

import pytest


def orphan(drill, final="payment_failed", at=2.1):
    """A charge whose payment was never answered, and whose order is not paid."""
    intent = drill.intent()
    token = drill.token(intent)
    drill.create(intent)
    drill.pay_lost(intent, token)
    pi = drill.capture(token, at=at)
    if final:
        drill.final(intent, final)
    return intent, token, pi


def test_a_charge_with_its_paid_order_holds(drill):
    drill.checkout()
    result = drill.standard_end().judge("I-05")
    assert (result.verdict, result.examined) == ("pass", 1)


def test_an_unknown_payment_that_did_succeed_is_fine(drill):
    orphan(drill, final="paid")
    assert drill.standard_end().judge("I-05").verdict == "pass"


@pytest.mark.parametrize("final", ["payment_failed", "cancelled", "created", "under_review"])
def test_a_charge_whose_order_is_not_paid_is_a_finding_after_the_deadline(drill, final):
    intent, _, _ = orphan(drill, final)
    (finding,) = drill.standard_end().judge("I-05").findings
    assert (finding.intent, finding.summary) == (f"i{intent}", "charged, and no order is paid by it")
    assert finding.money_at_risk[0].minor == 1000


def test_a_charge_whose_order_is_gone_is_a_finding(drill):
    intent, _, _ = orphan(drill, final=None)
    drill.final_gone(intent)
    assert drill.standard_end().judge("I-05").verdict == "fail"


def test_a_charge_that_was_given_back_in_time_holds(drill):
    _, _, pi = orphan(drill)
    drill.refund(pi, at=22.9)  # healed at 11, T_comp 12: until 23
    assert drill.standard_end().judge("I-05").verdict == "pass"


def test_a_charge_that_was_given_back_too_late_is_a_finding(drill):
    _, _, pi = orphan(drill)
    drill.refund(pi, at=23.1)
    (finding,) = drill.standard_end().judge("I-05").findings
    assert finding.summary == "charged without an order, refunded too late"


def test_the_deadline_counts_from_the_capture_when_that_came_after_the_heal(drill):
    _, _, pi = orphan(drill, at=15.0)
    drill.refund(pi, at=26.9)
    assert drill.standard_end().judge("I-05").verdict == "pass"


def test_a_part_that_was_given_back_is_not_enough(drill):
    _, _, pi = orphan(drill)
    drill.refund(pi, 400, at=12.0)
    (finding,) = drill.standard_end().judge("I-05").findings
    assert finding.money_at_risk[0].minor == 600


def test_a_drill_that_ended_before_the_deadline_is_undecided(drill):
    orphan(drill)
    drill.fault()
    drill.load_end()
    drill.freeze(22.0)
    result = drill.judge("I-05")
    assert (result.verdict, result.detail.split(":")[0]) == ("inconclusive", "undecided")


def test_a_fault_that_never_ended_leaves_it_undecided(drill):
    orphan(drill)
    drill.fault(until=None)
    drill.load_end()
    drill.freeze()
    assert drill.judge("I-05").verdict == "inconclusive"


def test_without_an_answer_to_the_final_read_it_is_undecided(drill):
    intent, _, _ = orphan(drill, final=None)
    drill.final_unanswered(intent)
    assert drill.standard_end().judge("I-05").verdict == "inconclusive"


def test_a_refund_that_the_customer_asked_for_has_no_deadline_here(drill):
    intent, _, pi = drill.checkout(final="refunded")
    drill.op("refund", intent, 35.0, said="refunded")
    drill.refund(pi, at=35.1)
    assert drill.standard_end().judge("I-05").verdict == "pass"


def test_an_order_called_refunded_whose_money_was_kept_and_nobody_asked_is_a_finding(drill):
    orphan(drill, final="refunded")
    assert drill.standard_end().judge("I-05").verdict == "fail"


def test_a_database_without_the_order_beats_a_read_that_shows_it(drill):
    kept, _, _ = drill.checkout()
    missing, _, _ = drill.checkout()
    drill.order_row(kept)
    (finding,) = drill.standard_end().judge("I-05").findings
    assert (finding.intent, finding.summary) == (
        f"i{missing}",
        "charged, and the database has no paid order for it",
    )


def test_a_database_that_says_paid_is_not_believed_against_the_read(drill):
    intent, _, _ = orphan(drill)
    drill.order_row(intent, "paid")
    assert drill.standard_end().judge("I-05").verdict == "fail"


def test_a_database_that_says_paid_does_not_replace_the_read(drill):
    intent, _, _ = orphan(drill, final=None)
    drill.order_row(intent, "paid")
    assert drill.standard_end().judge("I-05").verdict == "inconclusive"


def test_two_paid_orders_for_one_charge_are_a_finding(drill):
    intent, _, _ = drill.checkout()
    drill.order_row(intent)
    drill.order_row(intent, ref="ord-twin")
    (finding,) = drill.standard_end().judge("I-05").findings
    assert finding.summary == "charged, and several orders are paid by it"


def test_a_charge_on_a_token_of_nobody_has_no_order(drill):
    drill.checkout()
    drill.capture(None, wire="pm_card_visa")
    result = drill.standard_end().judge("I-05")
    assert (result.verdict, result.examined, result.findings[0].intent) == ("fail", 2, None)
    assert any(event.startswith("eff") for event in result.findings[0].events)


def test_a_read_that_came_while_the_order_was_still_open_decides_nothing(drill):
    intent, _, _ = orphan(drill, final=None, at=19.0)
    drill.final(intent, "payment_pending", at=25.0)  # its time is not over before 31
    assert drill.standard_end().judge("I-05").verdict == "inconclusive"


def test_without_a_time_line_it_is_not_examined(drill):
    orphan(drill)
    run = drill.folded()
    run.timeline.unlink()
    from paydrill.evidence.fold import fold
    from paydrill.invariants.child import judge_invariants

    fold(run)
    (result,) = judge_invariants(run, ("I-05",))
    assert (result.verdict, result.detail.split(":")[0]) == ("not_examined", "not_given")


def test_a_cancel_whose_answer_was_lost_may_be_refunded_late(drill):
    intent, _, pi = drill.checkout(final="cancelled")
    drill.op("cancel", intent, 35.0, outcome="info", status=None, executed=False)
    drill.refund(pi, at=35.5)
    assert drill.standard_end().judge("I-05").verdict == "pass"


def test_an_order_in_two_snapshots_is_one_order(drill):
    intent, _, _ = drill.checkout()
    drill.order_row(intent, snap=1)
    drill.order_row(intent, snap=2)
    assert drill.standard_end().judge("I-05").verdict == "pass"
