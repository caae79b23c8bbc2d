"""I-15: nothing stays open."""

from __future__ import annotations

import pytest


def accepted(drill, final):
    intent = drill.intent()
    token = drill.token(intent)
    drill.create(intent)
    drill.pay(intent, token, status=202, said="payment_pending")
    if final:
        drill.final(intent, final)
    return intent, token


def test_a_settled_order_holds(drill):
    drill.checkout()
    result = drill.standard_end().judge("I-15")
    assert (result.verdict, result.examined) == ("pass", 1)


@pytest.mark.parametrize("final", ["payment_pending", "under_review"])
def test_an_order_that_is_still_open_after_its_time_is_a_finding(drill, final):
    intent, _ = accepted(drill, final)
    (finding,) = drill.standard_end().judge("I-15").findings
    assert finding.intent == f"i{intent}"


def test_an_order_that_is_open_at_a_look_before_its_time_is_undecided(drill):
    intent, _ = accepted(drill, None)
    drill.final(intent, "payment_pending", at=34.9)  # load ended at 20, T_settle 15
    result = drill.standard_end().judge("I-15")
    assert (result.verdict, result.detail.split(":")[0]) == ("inconclusive", "undecided")


def test_an_early_look_at_which_everything_is_settled_holds(drill):
    intent, _ = accepted(drill, None)
    drill.final(intent, "paid", at=22.0)
    assert drill.standard_end().judge("I-15").verdict == "pass"


def test_the_later_of_read_and_database_counts(new_drill):
    moved_on, went_on = new_drill(), new_drill()
    intent, _ = accepted(moved_on, None)
    moved_on.final(intent, "payment_pending", at=36.0)
    moved_on.order_row(intent, "paid")
    assert moved_on.standard_end().judge("I-15").verdict == "pass"
    intent, _ = accepted(went_on, None)
    went_on.snapshot(1, at=36.0)
    went_on.order_row(intent, "payment_pending")
    went_on.final(intent, "paid", at=40.0)
    assert went_on.standard_end().judge("I-15").verdict == "pass"


def test_an_order_that_nobody_paid_is_abandoned(drill):
    drill.checkout()
    intent = drill.intent()
    drill.create(intent)
    drill.final(intent, "created")
    drill.order_row(1)
    drill.order_row(intent, "created")
    result = drill.standard_end().judge("I-15")
    assert (result.verdict, result.examined) == ("pass", 1)


def test_an_order_whose_payment_never_arrived_is_abandoned_too(drill):
    intent = drill.intent()
    drill.create(intent)
    drill.pay_lost(intent, drill.token(intent))
    drill.final(intent, "created")
    drill.order_row(intent, "created")
    result = drill.standard_end().judge("I-15")
    assert (result.verdict, result.examined) == ("pass", 1)


def test_an_accepted_payment_whose_order_never_moved_is_open(drill):
    accepted(drill, "created")
    assert drill.standard_end().judge("I-15").verdict == "fail"


def test_a_charged_order_that_never_moved_is_open(drill):
    intent = drill.intent()
    token = drill.token(intent)
    drill.create(intent)
    drill.pay_lost(intent, token)
    drill.capture(token)
    drill.final(intent, "created")
    assert drill.standard_end().judge("I-15").verdict == "fail"


def test_a_payment_row_that_is_unknown_is_open_although_the_order_looks_settled(drill):
    intent, _, _ = drill.checkout()
    drill.order_row(intent)
    drill.payment_row(intent, "unknown")
    assert drill.standard_end().judge("I-15").verdict == "fail"


def test_a_payment_row_of_nobody_is_a_subject_of_its_own(drill):
    intent, _, _ = drill.checkout()
    drill.order_row(intent)
    drill.fact("payment", "pay-stray", "submitted")
    result = drill.standard_end().judge("I-15")
    assert (result.verdict, result.examined, result.findings[0].intent) == ("fail", 2, None)


def test_a_refund_that_the_psp_never_finished_is_open(drill):
    _, _, pi = drill.checkout()
    drill.refund(pi, status="pending")
    assert drill.standard_end().judge("I-15").verdict == "fail"


def test_a_state_that_the_target_does_not_map_is_undecided(drill):
    accepted(drill, "teleported")
    assert drill.standard_end().judge("I-15").verdict == "inconclusive"


def test_without_any_look_it_is_undecided(drill):
    intent, _ = accepted(drill, None)
    drill.final_unanswered(intent)
    assert drill.standard_end().judge("I-15").verdict == "inconclusive"


def test_without_the_end_of_the_load_no_deadline_is_known(drill):
    accepted(drill, "payment_pending")
    drill.fault()
    drill.freeze()
    assert drill.judge("I-15").verdict == "inconclusive"


def test_the_deadline_counts_from_the_heal_when_that_came_last(drill):
    accepted(drill, "payment_pending")
    drill.fault(until=26.0)
    drill.load_end()
    drill.freeze()
    assert drill.judge("I-15").verdict == "inconclusive"


def test_an_event_that_still_waits_in_the_outbox_is_open(new_drill):
    from paydrill.evidence.fold import fold
    from paydrill.evidence.reader import evidence
    from paydrill.evidence.recorder import write_reading
    from paydrill.invariants.catalogue import chosen
    from paydrill.invariants.runner import judge

    for state, verdict in (("pending", "fail"), ("sent", "pass")):
        drill = new_drill()
        intent, _, _ = drill.checkout()
        run = drill.standard_end().write()
        row = {"ref": "ev-1", "order_ref": f"ord-{intent}", "kind": "order.paid", "seq": 1, "state": state}
        write_reading(run, "outbox_row", "db-1", 1, [row], 1_041_000_000_000, 1_041_000_000_001, True)
        fold(run)
        with evidence(run) as connection:
            (result,) = judge(connection, chosen(("I-15",)))
        assert result.verdict == verdict
