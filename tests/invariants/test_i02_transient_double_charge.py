"""I-02: charged twice is a finding even if it was refunded."""

from __future__ import annotations

from paydrill.verdict import Money


def test_one_charge_holds(drill):
    drill.checkout()
    result = drill.standard_end().judge("I-02")
    assert (result.verdict, result.examined) == ("pass", 1)


def test_a_surplus_that_was_refunded_is_still_a_finding(drill):
    _, token, _ = drill.checkout()
    surplus = drill.capture(token, at=2.6)
    drill.refund(surplus, at=5.0)
    (finding,) = drill.standard_end().judge("I-02").findings
    assert finding.summary == "charged more than once, refunded later"
    assert finding.money_at_risk == (Money("USD", 1000),)


def test_two_halves_on_two_objects_are_two_charges(drill):
    _, token, _ = drill.checkout(captured=False)
    drill.capture(token, 500)
    drill.capture(token, 500, at=2.4)
    results = drill.standard_end().judge()
    assert results["I-02"].verdict == "fail"
    assert results["I-01"].verdict == "pass"


def test_partial_captures_of_one_object_hold(drill):
    _, token, _ = drill.checkout(captured=False)
    pi = drill.capture(token, 400)
    drill.capture(token, 600, at=2.4, pi=pi)
    assert drill.standard_end().judge("I-02").verdict == "pass"


def test_more_than_agreed_on_one_object_is_a_finding(drill):
    _, token, _ = drill.checkout(captured=False)
    drill.capture(token, 1200)
    (finding,) = drill.standard_end().judge("I-02").findings
    assert finding.money_at_risk == (Money("USD", 200),)


def test_a_reversal_that_the_psp_made_by_itself_is_no_surplus(drill):
    _, token, pi = drill.checkout()
    drill.refund(pi, at=2.3, by_psp=True)
    drill.capture(token, at=2.6)
    assert drill.standard_end().judge("I-02").verdict == "pass"


def test_a_decline_before_the_charge_is_no_charge(drill):
    intent = drill.intent()
    first, second = drill.token(intent), drill.token(intent, try_no=2)
    drill.create(intent)
    drill.pay_declined(intent, first)
    drill.decline(first)
    drill.pay(intent, second, at=3.0)
    drill.capture(second, at=3.1)
    drill.final(intent)
    assert drill.standard_end().judge("I-02").verdict == "pass"


def test_a_drill_in_which_the_psp_saw_nobody_is_not_examined(drill):
    drill.create(drill.intent())
    result = drill.standard_end().judge("I-02")
    assert (result.verdict, result.examined, result.detail.split(":")[0]) == ("not_examined", 0, "no_subject")
