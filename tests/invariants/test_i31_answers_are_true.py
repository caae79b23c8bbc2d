"""I-31: said paid is captured, said failed never is."""

from __future__ import annotations

import pytest


def begun(drill):
    intent = drill.intent()
    drill.create(intent)
    return intent, drill.token(intent)


def test_paid_and_captured_holds_for_the_token_and_for_the_reads(drill):
    drill.checkout()
    result = drill.standard_end().judge("I-31")
    assert (result.verdict, result.examined) == ("pass", 2)


def test_paid_without_a_capture_is_a_lie(drill):
    drill.checkout(captured=False)
    result = drill.standard_end().judge("I-31")
    assert {finding.summary for finding in result.findings} == {
        "said paid, but never captured",
        "shown as paid, but never captured",
    }


def test_a_read_that_says_paid_counts_even_if_no_payment_was_answered(drill):
    intent, token = begun(drill)
    drill.pay_lost(intent, token)
    drill.op("read", intent, 9.0, said="paid")
    (finding,) = drill.standard_end().judge("I-31").findings
    assert finding.summary == "shown as paid, but never captured"


def test_declined_and_never_captured_holds(drill):
    intent, token = begun(drill)
    drill.pay_declined(intent, token)
    drill.decline(token)
    result = drill.standard_end().judge("I-31")
    assert (result.verdict, result.examined) == ("pass", 1)


def test_declined_and_captured_is_a_lie_even_if_refunded(drill):
    intent, token = begun(drill)
    drill.pay_declined(intent, token)
    pi = drill.capture(token)
    drill.refund(pi, at=6.0)
    (finding,) = drill.standard_end().judge("I-31").findings
    assert (finding.summary, finding.money_at_risk[0].minor) == ("said failed, but captured", 1000)
    assert "op2" in finding.events and "eff1" in finding.events


def test_a_capture_long_after_the_decline_is_a_lie_too(drill):
    intent, token = begun(drill)
    drill.pay_declined(intent, token)
    drill.capture(token, at=30.0)
    assert drill.standard_end().judge("I-31").verdict == "fail"


@pytest.mark.parametrize("status", [None, 500, 502, 503, 504])
def test_a_lost_answer_promises_nothing(drill, status):
    drill.checkout()
    intent, token = begun(drill)
    drill.op("pay", intent, 2.0, outcome="info", status=status, executed=False, token=token)
    drill.capture(token)
    result = drill.standard_end().judge("I-31")
    assert (result.verdict, result.examined) == ("pass", 2)


def test_a_lost_answer_beside_a_decline_that_settles_nothing_stays_unknown(drill):
    """Another key: the decline was carried out for a different request."""
    drill.checkout()
    intent, token = begun(drill)
    drill.pay_lost(intent, token, at=2.0, key="a")
    drill.pay_declined(intent, token, at=9.0, key="b")
    drill.capture(token)
    assert drill.standard_end().judge("I-31").verdict == "pass"


def test_a_decline_for_the_same_key_settles_what_was_lost_before(drill):
    intent, token = begun(drill)
    drill.pay_lost(intent, token, at=2.0, key="a")
    drill.pay_declined(intent, token, at=9.0, key="a")
    drill.capture(token)
    assert drill.standard_end().judge("I-31").verdict == "fail"


def test_a_decline_settles_nothing_that_was_sent_after_it(drill):
    drill.checkout()
    intent, token = begun(drill)
    drill.pay_declined(intent, token, at=2.0, key="a")
    drill.pay_lost(intent, token, at=9.0, key="a")
    drill.capture(token)
    assert drill.standard_end().judge("I-31").verdict == "pass"


@pytest.mark.parametrize(
    ("status", "code"),
    [(409, "idempotency_in_progress"), (409, "state_conflict"), (429, None), (503, "frozen")],
)
def test_an_answer_that_was_not_carried_out_settles_nothing(drill, status, code):
    drill.checkout()
    intent, token = begun(drill)
    drill.pay_lost(intent, token, at=2.0, key="a")
    drill.op(
        "pay", intent, 9.0, outcome="fail", status=status, code=code, executed=False, token=token, key="a"
    )
    drill.capture(token)
    assert drill.standard_end().judge("I-31").verdict == "pass"


def test_another_body_under_the_same_key_settles_nothing(drill):
    drill.checkout()
    intent, token = begun(drill)
    drill.pay_lost(intent, token, at=2.0, key="a", body="one")
    drill.pay_declined(intent, token, at=9.0, key="a", body="other")
    drill.capture(token)
    assert drill.standard_end().judge("I-31").verdict == "pass"


def test_a_capture_on_the_second_token_does_not_make_the_first_decline_a_lie(drill):
    intent, first = begun(drill)
    second = drill.token(intent, try_no=2)
    drill.pay_declined(intent, first)
    drill.decline(first)
    drill.pay(intent, second, at=4.0)
    drill.capture(second, at=4.1)
    assert drill.standard_end().judge("I-31").verdict == "pass"


def test_accepted_promises_nothing_yet(drill):
    drill.checkout()
    intent, token = begun(drill)
    drill.pay(intent, token, status=202, said="payment_pending")
    drill.final(intent, "payment_failed")
    assert drill.standard_end().judge("I-31").verdict == "pass"


def test_200_means_captured_also_without_a_state_in_its_body(drill):
    intent, token = begun(drill)
    drill.pay(intent, token, status=200, said=None)
    (finding,) = drill.standard_end().judge("I-31").findings
    assert finding.summary == "said paid, but never captured"


def test_paid_while_the_psp_still_works_on_it_is_undecided(drill):
    intent, token = begun(drill)
    drill.pay(intent, token)
    drill.capture(token, status="pending")
    assert drill.standard_end().judge("I-31").verdict == "inconclusive"
