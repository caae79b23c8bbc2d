"""I-08: everybody names the same amount and currency."""

from __future__ import annotations

import pytest

from paydrill.verdict import Money


def test_equal_amounts_everywhere_hold(drill):
    intent, _, _ = drill.checkout()
    drill.order_row(intent)
    drill.payment_row(intent)
    result = drill.standard_end().judge("I-08")
    assert (result.verdict, result.examined) == ("pass", 1)


def test_a_capture_of_another_amount_is_a_finding_with_the_difference(drill):
    _, token, _ = drill.checkout(captured=False)
    drill.capture(token, 999)
    (finding,) = drill.standard_end().judge("I-08").findings
    assert finding.money_at_risk == (Money("USD", 1),)
    assert finding.summary == "another amount than agreed: captured at the PSP"


def test_a_double_charge_of_the_right_amount_is_not_a_wrong_amount(drill):
    _, token, _ = drill.checkout()
    drill.capture(token, at=2.5)
    assert drill.standard_end().judge("I-08").verdict == "pass"


def test_partial_captures_of_one_object_count_together(drill):
    _, token, _ = drill.checkout(captured=False)
    pi = drill.capture(token, 400)
    drill.capture(token, 600, pi=pi, at=2.4)
    assert drill.standard_end().judge("I-08").verdict == "pass"


def test_another_currency_is_a_finding(drill):
    _, token, _ = drill.checkout(captured=False)
    drill.capture(token, currency="EUR")
    (finding,) = drill.standard_end().judge("I-08").findings
    assert finding.summary.startswith("another currency than agreed")


@pytest.mark.parametrize("where", ["answer", "order", "payment"])
def test_another_amount_in_an_answer_or_in_the_database_is_a_finding(drill, where):
    intent, _, _ = drill.checkout(final=None)
    drill.final(intent, said_amount=820 if where == "answer" else 1000)
    drill.order_row(intent, amount=820 if where == "order" else 1000)
    drill.payment_row(intent, amount=820 if where == "payment" else 1000)
    result = drill.standard_end().judge("I-08")
    assert result.verdict == "fail"
    assert result.findings[0].money_at_risk == (Money("USD", 180),)


def test_a_failed_payment_row_of_another_try_is_not_compared(drill):
    intent, _, _ = drill.checkout()
    drill.order_row(intent)
    drill.payment_row(intent, "declined", amount=1)
    assert drill.standard_end().judge("I-08").verdict == "pass"


def test_an_answer_that_names_no_amount_is_no_difference(drill):
    intent, _, _ = drill.checkout(final=None)
    drill.final(intent, said_amount=None, said_currency=None)
    assert drill.standard_end().judge("I-08").verdict == "pass"


def test_a_refund_of_a_part_is_another_number_and_no_difference(drill):
    intent, _, pi = drill.checkout()
    drill.op("refund", intent, 9.0, amount=300, said_amount=300)
    drill.refund(pi, 300, at=9.1)
    assert drill.standard_end().judge("I-08").verdict == "pass"


def test_an_amount_in_the_database_that_is_no_whole_number_is_not_taken_for_agreement(drill):
    intent, _, _ = drill.checkout()
    drill.order_row(intent, amount=10.0)
    result = drill.standard_end().judge("I-08")
    assert "not: sut_fact" in result.detail
