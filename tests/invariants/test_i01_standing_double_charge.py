"""I-01: what was kept is at most what was agreed."""

from __future__ import annotations

from paydrill.verdict import Money


def test_one_capture_of_the_agreed_amount_holds(drill):
    drill.checkout()
    result = drill.standard_end().judge("I-01")
    assert (result.verdict, result.examined, result.findings) == ("pass", 1, ())


def test_a_second_capture_that_stays_is_a_finding_with_its_money_and_events(drill):
    drill.checkout()
    intent, token, _ = drill.checkout(amount=700)
    drill.capture(token, 700, at=2.6)
    result = drill.standard_end().judge("I-01")
    assert (result.verdict, result.examined) == ("fail", 2)
    (finding,) = result.findings
    assert finding.intent == f"i{intent}"
    assert finding.money_at_risk == (Money("USD", 700),)
    assert finding.summary == "charged more than once and not refunded"
    assert [event[:3] for event in finding.events] == ["op5", "eff", "eff"]


def test_a_surplus_that_was_refunded_holds(drill):
    _, token, _ = drill.checkout()
    surplus = drill.capture(token, at=2.6)
    drill.refund(surplus, at=5.0)
    assert drill.standard_end().judge("I-01").verdict == "pass"


def test_a_charge_on_a_second_token_of_the_same_intent_counts_too(drill):
    intent, _, _ = drill.checkout()
    other = drill.token(intent, try_no=2)
    drill.pay(intent, other, at=4.0)
    drill.capture(other, at=4.1)
    assert drill.standard_end().judge("I-01").verdict == "fail"


def test_two_carts_of_one_customer_are_two_agreements(drill):
    drill.checkout()
    drill.checkout()
    assert drill.standard_end().judge("I-01").verdict == "pass"


def test_a_charge_before_anybody_asked_to_pay_is_all_too_much(drill):
    intent = drill.intent(amount=900)
    drill.create(intent)
    drill.capture(drill.token(intent), 900)
    (finding,) = drill.standard_end().judge("I-01").findings
    assert (finding.summary, finding.money_at_risk) == (
        "charged without having asked to pay",
        (Money("USD", 900),),
    )


def test_a_charge_in_another_currency_is_no_agreement(drill):
    _, token, _ = drill.checkout(captured=False)
    drill.capture(token, 1000, currency="JPY")
    (finding,) = drill.standard_end().judge("I-01").findings
    assert finding.money_at_risk == (Money("JPY", 1000),)


def test_small_letters_are_the_same_currency(drill):
    _, token, _ = drill.checkout(captured=False)
    drill.capture(token, currency="usd")
    assert drill.standard_end().judge("I-01").verdict == "pass"


def test_partial_captures_of_one_object_that_add_up_hold(drill):
    _, token, _ = drill.checkout(captured=False)
    pi = drill.capture(token, 400)
    drill.capture(token, 600, at=2.4, pi=pi)
    assert drill.standard_end().judge("I-01").verdict == "pass"


def test_a_failed_refund_gives_nothing_back(drill):
    _, token, _ = drill.checkout()
    surplus = drill.capture(token, at=2.6)
    drill.refund(surplus, at=5.0, status="failed")
    assert drill.standard_end().judge("I-01").verdict == "fail"


def test_a_refund_that_the_psp_has_not_finished_is_undecided(drill):
    _, token, _ = drill.checkout()
    surplus = drill.capture(token, at=2.6)
    drill.refund(surplus, at=5.0, status="pending")
    result = drill.standard_end().judge("I-01")
    assert (result.verdict, result.detail.split(":")[0]) == ("inconclusive", "undecided")


def test_a_pending_refund_that_was_finished_later_holds(drill):
    _, token, _ = drill.checkout()
    surplus = drill.capture(token, at=2.6)
    drill.refund(surplus, at=5.0, status="pending")
    drill.refund(surplus, at=6.0)
    assert drill.standard_end().judge("I-01").verdict == "pass"


def test_a_run_whose_psp_was_never_frozen_neither_passes_nor_fails(new_drill):
    good, bad = new_drill(), new_drill()
    good.checkout()
    _, token, _ = bad.checkout()
    bad.capture(token, at=2.6)
    for each in (good, bad):
        each.load_end()
        assert each.judge("I-01").verdict == "inconclusive"


def test_a_reversal_by_the_psp_gives_back_once_and_not_twice(drill):
    _, token, pi = drill.checkout()
    drill.capture(token, at=2.5)
    drill.capture(token, at=2.6)
    drill.refund(pi, at=4.0, by_psp=True)
    (finding,) = drill.standard_end().judge("I-01").findings
    assert finding.money_at_risk == (Money("USD", 1000),)
