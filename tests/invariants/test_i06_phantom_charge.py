"""I-06: nobody is charged who never sent their card."""

from __future__ import annotations


def test_a_charge_on_a_token_that_was_sent_holds_whatever_the_answer(drill):
    drill.checkout()
    intent = drill.intent()
    token = drill.token(intent)
    drill.pay_lost(intent, token, answered=False)
    drill.capture(token)
    result = drill.standard_end().judge("I-06")
    assert (result.verdict, result.examined) == ("pass", 2)


def test_a_token_that_was_never_issued_is_a_phantom(drill):
    drill.capture(99)
    (finding,) = drill.standard_end().judge("I-06").findings
    assert (finding.intent, finding.money_at_risk[0].minor) == (None, 1000)
    assert finding.summary.startswith("charged on a token that was never issued")
    assert "eff1" in finding.events and "req1" in finding.events


def test_a_foreign_card_is_a_phantom(drill):
    drill.capture(None, wire="pm_card_visa")
    (finding,) = drill.standard_end().judge("I-06").findings
    assert finding.summary.startswith("charged on a token that is not ours")


def test_a_foreign_card_hides_behind_no_earlier_decline_of_ours(drill):
    intent = drill.intent()
    token = drill.token(intent)
    drill.create(intent)
    drill.pay_declined(intent, token)
    pi = drill.decline(token)
    drill.capture(None, pi=pi, at=3.0, wire="pm_card_visa")
    assert drill.standard_end().judge("I-06").verdict == "fail"


def test_a_token_that_was_issued_and_never_sent_is_a_phantom(drill):
    intent = drill.intent()
    drill.create(intent)
    drill.capture(drill.token(intent))
    (finding,) = drill.standard_end().judge("I-06").findings
    assert finding.summary == "charged on a token that no client ever sent"


def test_a_charge_before_the_token_was_sent_is_a_phantom(drill):
    intent = drill.intent()
    token = drill.token(intent)
    drill.capture(token, at=1.5)
    drill.pay(intent, token, at=2.0)
    (finding,) = drill.standard_end().judge("I-06").findings
    assert finding.summary == "charged before the client sent the token"


def test_a_history_with_a_gap_makes_a_phantom_undecided(drill):
    drill.checkout()
    drill.capture(99)
    drill.history_ends = False
    assert drill.standard_end().judge("I-06").verdict == "inconclusive"


def test_a_drill_without_a_charge_is_not_examined(drill):
    drill.create(drill.intent())
    drill.decline(7)
    assert drill.standard_end().judge("I-06").verdict == "not_examined"


def test_a_foreign_capture_on_the_object_of_an_honest_one_is_a_phantom(drill):
    _, _, pi = drill.checkout()
    drill.capture(None, pi=pi, at=4.0, wire="pm_card_visa")
    assert drill.standard_end().judge("I-06").verdict == "fail"
