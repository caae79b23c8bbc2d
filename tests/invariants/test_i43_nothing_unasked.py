"""I-43: what was acknowledged as paid stays paid."""

from __future__ import annotations

from paydrill.verdict import Money


def test_a_paid_order_that_stays_paid_holds(drill):
    drill.checkout()
    result = drill.standard_end().judge("I-43")
    assert (result.verdict, result.examined) == ("pass", 1)


def test_a_refund_that_nobody_asked_for_is_a_finding(drill):
    _, _, pi = drill.checkout()
    drill.refund(pi, 400, at=9.0)
    (finding,) = drill.standard_end().judge("I-43").findings
    assert (finding.summary, finding.money_at_risk) == (
        "refunded although nobody asked",
        (Money("USD", 400),),
    )


def test_a_refund_that_was_asked_for_holds(drill):
    intent, _, pi = drill.checkout()
    drill.op("refund", intent, 9.0, amount=400)
    drill.refund(pi, 400, at=9.1)
    assert drill.standard_end().judge("I-43").verdict == "pass"


def test_a_refund_whose_answer_was_lost_may_have_been_made_or_not(new_drill):
    for made in (True, False):
        drill = new_drill()
        intent, _, pi = drill.checkout()
        drill.op("refund", intent, 9.0, outcome="info", status=None, executed=False, amount=400)
        if made:
            drill.refund(pi, 400, at=9.1)
        assert drill.standard_end().judge("I-43").verdict == "pass"


def test_two_tries_with_one_key_are_one_refund(drill):
    intent, _, pi = drill.checkout()
    drill.op("refund", intent, 9.0, outcome="info", status=None, executed=False, amount=300, key="r")
    drill.op("refund", intent, 15.0, amount=300, key="r")
    drill.refund(pi, 300, at=9.1)
    drill.refund(pi, 300, at=15.1)
    (finding,) = drill.standard_end().judge("I-43").findings
    assert finding.money_at_risk == (Money("USD", 300),)


def test_a_refund_that_was_refused_and_made_is_a_finding(drill):
    intent, _, pi = drill.checkout()
    drill.op(
        "refund", intent, 9.0, outcome="fail", status=409, code="refund_refused", executed=True, amount=400
    )
    drill.refund(pi, 400, at=9.1)
    assert drill.standard_end().judge("I-43").verdict == "fail"


def test_a_surplus_may_be_refunded(drill):
    _, token, _ = drill.checkout()
    surplus = drill.capture(token, at=2.5)
    drill.refund(surplus, at=6.0)
    assert drill.standard_end().judge("I-43").verdict == "pass"


def test_both_charges_refunded_is_one_too_many(drill):
    _, token, pi = drill.checkout()
    surplus = drill.capture(token, at=2.5)
    drill.refund(surplus, at=6.0)
    drill.refund(pi, at=6.1)
    assert drill.standard_end().judge("I-43").verdict == "fail"


def test_a_reversal_by_the_psp_is_not_the_targets_doing(drill):
    _, _, pi = drill.checkout()
    drill.effect("chargeback", pi, 1000, 9.0, by_psp=True)
    assert drill.standard_end().judge("I-43").verdict == "pass"


def test_a_cancelled_order_may_be_refunded(drill):
    intent, _, pi = drill.checkout(final="cancelled")
    drill.op("cancel", intent, 9.0)
    drill.refund(pi, at=9.5)
    assert drill.standard_end().judge("I-43").verdict == "pass"


def test_a_payment_that_was_never_acknowledged_may_be_refunded(drill):
    intent = drill.intent()
    token = drill.token(intent)
    drill.create(intent)
    drill.pay_lost(intent, token)
    pi = drill.capture(token)
    drill.refund(pi, at=9.0)
    drill.final(intent, "refunded")
    result = drill.standard_end().judge("I-43")
    assert (result.verdict, result.examined) == ("pass", 1)


def test_the_charge_of_a_lost_order_may_be_refunded(drill):
    intent, _, pi = drill.checkout(final=None)
    drill.refund(pi, at=9.0)
    drill.final_gone(intent)
    assert drill.standard_end().judge("I-43").verdict == "pass"


def test_paid_with_nothing_captured_is_a_finding(drill):
    drill.checkout(captured=False)
    (finding,) = drill.standard_end().judge("I-43").findings
    assert finding.summary == "acknowledged as paid, but nothing was captured"


def test_less_captured_than_acknowledged_is_a_finding(drill):
    _, token, _ = drill.checkout(captured=False)
    drill.capture(token, 900)
    (finding,) = drill.standard_end().judge("I-43").findings
    assert finding.summary == "less was captured than acknowledged"
