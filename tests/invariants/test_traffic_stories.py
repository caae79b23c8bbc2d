"""What each traffic class does to the money, told to all rules: as it should be, broken, and as a trap.

A correct stack must not be accused of anything, and a broken one must be found by the rule that is named.
"""

from __future__ import annotations

import pytest

CARD = 9_000


def accused(drill):
    """The rules that found something; that nothing is left undecided is asserted on the way."""
    results = drill.standard_end().judge()
    undecided = {number: one.detail for number, one in results.items() if one.verdict == "inconclusive"}
    assert not undecided
    return {number for number, one in results.items() if one.verdict == "fail"}


def begun(drill, **intent):
    number = drill.intent(**intent)
    drill.create(number)
    return number, drill.token(number)


def accepted(drill, intent, token, at=2.0):
    """Answered 202: it is under way."""
    drill.pay(intent, token, at, status=202, said="payment_pending")


def conflict(drill, kind, intent, at, **more):
    """409: what somebody else has done meanwhile stands against it."""
    drill.op(kind, intent, at, outcome="fail", status=409, code="state_conflict", executed=False, **more)


# -- challenge


def test_a_challenge_that_was_left_ends_as_a_failed_payment(drill):
    intent, token = begun(drill)
    accepted(drill, intent, token)
    drill.final(intent, "payment_failed")
    assert accused(drill) == set()


def test_a_challenge_that_is_waited_for_for_ever_is_open(drill):
    intent, token = begun(drill)
    accepted(drill, intent, token)
    drill.final(intent, "payment_pending")
    assert accused(drill) == {"I-15"}


def test_a_challenge_that_was_done_and_given_up_by_the_target_is_a_charge_without_an_order(drill):
    intent, token = begun(drill)
    accepted(drill, intent, token)
    drill.op("challenge", intent, 6.0, token=token)
    drill.capture(token, at=6.1)
    drill.final(intent, "payment_failed")
    assert accused(drill) == {"I-05"}


def test_a_challenge_done_twice_is_one_charge(drill):
    intent, token = begun(drill)
    accepted(drill, intent, token)
    for at in (4.0, 4.01):
        drill.op("challenge", intent, at, token=token, key="c")
    drill.capture(token, at=4.1)
    drill.op("read", intent, 5.0, said="paid")
    drill.final(intent)
    assert accused(drill) == set()


def test_a_challenge_done_twice_that_charges_twice_is_found(drill):
    intent, token = begun(drill)
    accepted(drill, intent, token)
    drill.op("challenge", intent, 4.0, token=token)
    drill.capture(token, at=4.1)
    drill.capture(token, at=4.2)
    drill.final(intent)
    assert accused(drill) == {"I-01", "I-02"}


def test_what_the_psp_says_to_a_challenge_is_not_the_targets_word(drill):
    """The customer's browser heard `paid` from the PSP; the target was too late for it and gave it back."""
    intent, token = begun(drill)
    accepted(drill, intent, token)
    drill.op("challenge", intent, 6.0, token=token, said="paid")
    pi = drill.capture(token, at=6.1)
    drill.refund(pi, at=7.0)
    drill.final(intent, "payment_failed")
    assert accused(drill) == set()


def test_a_refused_challenge_and_then_another_card(drill):
    intent, token = begun(drill)
    accepted(drill, intent, token)
    drill.op("challenge", intent, 4.0, token=token)
    drill.decline(token, at=4.1)
    other = drill.token(intent, at=5.0, try_no=2)
    drill.pay(intent, other, 6.0)
    drill.capture(other, at=6.1)
    drill.final(intent)
    assert accused(drill) == set()


# -- async_method


@pytest.mark.parametrize("comes", [True, False])
def test_a_payment_that_settles_later_or_not_at_all(drill, comes):
    intent, token = begun(drill)
    accepted(drill, intent, token)
    if comes:
        drill.capture(token, at=4.0)
        drill.op("read", intent, 5.0, said="paid")
    else:
        drill.decline(token, at=4.0)
    drill.final(intent, "paid" if comes else "payment_failed")
    assert accused(drill) == set()


def test_an_accepted_payment_that_is_shown_as_paid_and_never_comes_is_found(drill):
    intent, token = begun(drill)
    accepted(drill, intent, token)
    drill.op("read", intent, 5.0, said="paid")
    drill.final(intent)
    assert accused(drill) == {"I-31", "I-43"}


# -- orders that wait for people


def test_an_order_under_review_that_was_decided_is_settled(drill):
    intent, token = begun(drill)
    drill.pay(intent, token, status=202, said="under_review")
    drill.capture(token, at=9.0)
    drill.op("read", intent, 10.0, said="paid")
    drill.final(intent)
    assert accused(drill) == set()


def test_money_behind_an_order_that_is_still_under_review_is_found(drill):
    intent, token = begun(drill)
    drill.pay(intent, token, status=202, said="under_review")
    drill.capture(token)
    drill.final(intent, "under_review")
    assert accused(drill) == {"I-05", "I-15"}


def test_an_authorisation_under_review_that_was_released_again(drill):
    intent, token = begun(drill)
    drill.pay(intent, token, status=202, said="under_review")
    drill.effect("auth", "pi_held", 1000, 2.1, token=token)
    drill.effect("release", "pi_held", 1000, 9.0, token=token)
    drill.final(intent, "payment_failed")
    assert accused(drill) == set()


# -- closed_browser


@pytest.mark.parametrize("final", ["paid", "created"])
def test_a_browser_that_was_closed_in_time_or_too_late(drill, final):
    intent, token = begun(drill)
    drill.pay_lost(intent, token, took=0.05)
    if final == "paid":
        drill.capture(token)
    drill.final(intent, final)
    assert accused(drill) == set()


def test_a_charge_after_which_nobody_asked_needs_its_order_all_the_same(drill):
    intent, token = begun(drill)
    drill.pay_lost(intent, token, took=0.05)
    drill.capture(token)
    drill.final(intent, "created")
    assert accused(drill) == {"I-05", "I-15"}


@pytest.mark.parametrize(("word", "expected"), [("lost", set()), ("accepted", {"I-15"})])
def test_an_order_that_went_back_to_where_it_began_is_abandoned_unless_its_payment_was_accepted(
    drill, word, expected
):
    """Its stock was set aside when it was created, and let go when nobody paid."""
    intent = drill.intent()
    token = drill.token(intent)
    drill.create(intent, said="reserved")
    if word == "lost":
        drill.pay_lost(intent, token, took=0.05)
    else:
        accepted(drill, intent, token)
    drill.final(intent, "created")
    drill.order_row(intent, "created")
    drill.order_history(intent, "created", "reserved", "created")
    assert accused(drill) == expected


def test_an_order_that_went_back_to_where_it_began_and_was_charged_is_found(drill):
    intent = drill.intent()
    token = drill.token(intent)
    drill.create(intent, said="reserved")
    drill.pay_lost(intent, token, took=0.05)
    drill.capture(token)
    drill.final(intent, "created")
    drill.order_row(intent, "created")
    drill.order_history(intent, "created", "reserved", "created")
    assert accused(drill) == {"I-05", "I-15"}


def test_an_order_that_is_left_in_the_middle_of_a_payment_is_open_whatever_its_history(drill):
    intent = drill.intent()
    token = drill.token(intent)
    drill.create(intent, said="reserved")
    drill.pay_lost(intent, token, took=0.05)
    drill.final(intent, "payment_pending")
    drill.order_row(intent, "payment_pending")
    drill.order_history(intent, "created", "reserved", "payment_pending")
    assert accused(drill) == {"I-15"}


# -- cancel_races_pay


def test_the_payment_was_first_and_the_cancel_is_refused(drill):
    intent, _, _ = drill.checkout()
    conflict(drill, "cancel", intent, 2.0)
    assert accused(drill) == set()


def test_the_cancel_was_first_and_the_payment_is_refused(drill):
    intent, token = begun(drill)
    conflict(drill, "pay", intent, 2.0, token=token)
    drill.op("cancel", intent, 2.0, said="cancelled")
    drill.final(intent, "cancelled")
    assert accused(drill) == set()


def test_both_were_granted_and_the_money_came_back(drill):
    intent, _, pi = drill.checkout(final="cancelled")
    drill.op("cancel", intent, 2.05, said="cancelled")
    drill.refund(pi, at=3.0)
    assert accused(drill) == set()


def test_both_were_granted_and_the_money_was_kept(drill):
    intent, _, _ = drill.checkout(final="cancelled")
    drill.op("cancel", intent, 2.05, said="cancelled")
    assert accused(drill) == {"I-05"}


def test_a_payment_that_was_refused_for_the_cancel_was_charged(drill):
    intent, token = begun(drill)
    conflict(drill, "pay", intent, 2.0, token=token)
    drill.op("cancel", intent, 2.0, said="cancelled")
    pi = drill.capture(token)
    drill.refund(pi, at=3.0)
    drill.final(intent, "cancelled")
    assert accused(drill) == {"I-31"}


def test_a_cancel_that_was_refused_and_done_all_the_same(drill):
    intent, _, pi = drill.checkout(final="cancelled")
    conflict(drill, "cancel", intent, 2.0)
    drill.refund(pi, at=3.0)
    assert accused(drill) == {"I-04", "I-43"}


# -- declines, decline_then_other_card, edits_cart


def test_a_decline_and_then_a_card_that_works(drill):
    intent, token = begun(drill)
    drill.pay_declined(intent, token)
    drill.decline(token)
    other = drill.token(intent, try_no=2)
    drill.pay(intent, other, 4.0)
    drill.capture(other, at=4.1)
    drill.final(intent)
    assert accused(drill) == set()


def test_a_declined_card_that_was_charged_beside_the_one_that_works(drill):
    intent, token = begun(drill)
    drill.pay_declined(intent, token)
    drill.capture(token)
    other = drill.token(intent, try_no=2)
    drill.pay(intent, other, 4.0)
    drill.capture(other, at=4.1)
    drill.final(intent)
    assert accused(drill) == {"I-01", "I-02", "I-31"}


def test_a_declined_order_that_is_cancelled_and_bought_anew_with_another_cart(drill):
    first, token = begun(drill)
    drill.pay_declined(first, token)
    drill.decline(token)
    drill.op("cancel", first, 3.0, said="cancelled")
    drill.final(first, "cancelled")
    drill.checkout(amount=1234)
    assert accused(drill) == set()


def test_a_declined_order_that_comes_back_from_the_dead_is_found(drill):
    first, token = begun(drill)
    drill.pay_declined(first, token)
    drill.op("cancel", first, 3.0, said="cancelled")
    drill.capture(token, at=8.0)
    drill.final(first, "paid")
    assert "I-31" in accused(drill)


# -- operator_refund_again, partial_refunds, refund_races_refund


def press(drill, intent, at, key, name="r", amount=300, **more):
    drill.op("refund", intent, at, caller="support_1", key=key, refund_ref=name, amount=amount, **more)


@pytest.mark.parametrize("first", ["ok", "info"])
def test_support_presses_twice_by_one_name_and_one_refund_is_made(drill, first):
    intent, _, pi = drill.checkout()
    lost = {} if first == "ok" else {"outcome": "info", "status": 503, "executed": False}
    press(drill, intent, 9.0, "a", **lost)
    press(drill, intent, 10.0, "b")
    drill.refund(pi, 300, at=9.1)
    assert accused(drill) == set()


def test_support_presses_twice_by_one_name_and_two_refunds_are_made(drill):
    intent, _, pi = drill.checkout()
    press(drill, intent, 9.0, "a")
    press(drill, intent, 10.0, "b")
    drill.refund(pi, 300, at=9.1)
    drill.refund(pi, 300, at=10.1)
    assert accused(drill) == {"I-43"}


def test_two_names_are_two_refunds(drill):
    intent, _, pi = drill.checkout()
    press(drill, intent, 9.0, "a", name="r1")
    press(drill, intent, 10.0, "b", name="r2")
    drill.refund(pi, 300, at=9.1)
    drill.refund(pi, 300, at=10.1)
    assert accused(drill) == set()


def test_another_amount_by_the_same_name_was_refused_and_does_not_count(drill):
    intent, _, pi = drill.checkout()
    press(drill, intent, 9.0, "a")
    press(drill, intent, 10.0, "b", amount=900, outcome="fail", status=409, executed=False)
    drill.refund(pi, 900, at=10.1)
    assert accused(drill) == {"I-43"}


def test_three_parts_give_everything_back(drill):
    intent, _, pi = drill.checkout(final="refunded")
    for at, amount in ((9.0, 332), (10.0, 333), (11.0, 335)):
        drill.op("refund", intent, at, amount=amount)
        drill.refund(pi, amount, at=at + 0.1)
    assert accused(drill) == set()


def test_a_part_that_was_given_back_twice_is_found(drill):
    intent, _, pi = drill.checkout()
    for at, amount in ((9.0, 332), (10.0, 333)):
        drill.op("refund", intent, at, amount=amount)
        drill.refund(pi, amount, at=at + 0.1)
    drill.refund(pi, 333, at=11.1)
    assert accused(drill) == {"I-43"}


@pytest.mark.parametrize(("made", "expected"), [((600,), set()), ((600, 400), {"I-43"})])
def test_of_two_refunds_that_are_too_much_one_is_refused_and_not_made(drill, made, expected):
    intent, _, pi = drill.checkout()
    drill.op("refund", intent, 9.0, amount=600)
    conflict(drill, "refund", intent, 9.0, amount=700)
    for nth, amount in enumerate(made):
        drill.refund(pi, amount, at=9.1 + nth)
    assert accused(drill) == expected


# -- hot_sku


def test_who_came_too_late_for_the_last_piece_has_no_order_and_was_not_charged(drill):
    drill.checkout()
    intent = drill.intent()
    drill.op("create", intent, 1.2, outcome="fail", status=409, code="insufficient_stock", executed=True)
    assert accused(drill) == set()


def test_an_answer_that_was_lost_and_then_refused_is_settled(drill):
    drill.checkout()
    intent = drill.intent()
    drill.op("create", intent, 1.2, outcome="info", status=None, executed=False, key="k")
    drill.op("create", intent, 2.2, outcome="fail", status=409, executed=True, key="k")
    drill.final_gone(intent)
    assert accused(drill) == set()


def test_who_was_refused_and_charged_is_found(drill):
    drill.checkout()
    intent = drill.intent()
    token = drill.token(intent)
    drill.op("create", intent, 1.2, outcome="fail", status=409, code="insufficient_stock", executed=True)
    drill.capture(token)
    results = drill.standard_end().judge()
    found = {number for number, one in results.items() if one.verdict == "fail"}
    assert found == {"I-01", "I-02", "I-06"}, "nobody ever sent that card"
    assert results["I-05"].verdict == "inconclusive", "no order was ever named that could be looked at"


# -- double_click, same_key_burst, late_retry, retry_new_key, key_reused_other_body


def in_progress(drill, intent, token, at, key):
    drill.op("pay", intent, at, outcome="info", status=409, code="idempotency_in_progress", executed=False,
             token=token, key=key)  # fmt: skip


@pytest.mark.parametrize(("captures", "expected"), [(1, set()), (2, {"I-01", "I-02"})])
def test_a_burst_of_one_key_is_one_charge(drill, captures, expected):
    intent, token = begun(drill)
    for nth in range(7):
        in_progress(drill, intent, token, 2.0 + nth / 1000, "k")
    drill.pay(intent, token, 2.0, key="k")
    for nth in range(captures):
        drill.capture(token, at=2.1 + nth / 100)
    drill.final(intent)
    assert accused(drill) == expected


@pytest.mark.parametrize(("captures", "expected"), [(1, set()), (2, {"I-01", "I-02"})])
def test_a_late_retry_is_answered_as_before(drill, captures, expected):
    intent, token = begun(drill)
    drill.pay(intent, token, 2.0, key="k")
    drill.pay(intent, token, 9.5, key="k", replayed=True)
    for nth in range(captures):
        drill.capture(token, at=2.1 + nth * 7.5)
    drill.final(intent)
    assert accused(drill) == expected


def test_a_kept_answer_may_be_older_than_a_refund(drill):
    intent, token = begun(drill)
    drill.pay(intent, token, 2.0, key="k")
    pi = drill.capture(token)
    drill.op("refund", intent, 5.0, amount=1000)
    drill.refund(pi, at=5.1)
    drill.pay(intent, token, 9.5, key="k", replayed=True)
    drill.final(intent, "refunded")
    assert accused(drill) == set()


@pytest.mark.parametrize(("charged", "expected"), [(False, set()), (True, {"I-01", "I-02", "I-31"})])
def test_a_second_try_with_a_new_key_is_refused_and_charges_nothing(drill, charged, expected):
    intent, _, _ = drill.checkout()
    drill.op("create", intent, 1.5, said="created")
    other = drill.token(intent, try_no=2)
    conflict(drill, "pay", intent, 4.0, token=other)
    if charged:
        drill.capture(other, at=4.1)
    assert accused(drill) == expected


@pytest.mark.parametrize(("charged", "expected"), [(False, set()), (True, {"I-01", "I-02", "I-31"})])
def test_a_used_key_with_another_card_is_refused_and_charges_nothing(drill, charged, expected):
    intent, token = begun(drill)
    drill.pay(intent, token, key="k", body="one")
    drill.capture(token)
    other = drill.token(intent, try_no=2)
    drill.op("pay", intent, 4.0, outcome="fail", status=422, code="idempotency_key_reused", executed=False,
             token=other, key="k", body="two")  # fmt: skip
    if charged:
        drill.capture(other, at=4.1)
    drill.final(intent)
    assert accused(drill) == expected


def test_a_used_key_whose_kept_answer_is_given_for_another_card_is_found(drill):
    intent, token = begun(drill)
    drill.pay(intent, token, key="k", body="one")
    drill.capture(token)
    other = drill.token(intent, try_no=2)
    drill.pay(intent, other, 4.0, key="k", body="two", replayed=True)
    drill.final(intent)
    assert accused(drill) == {"I-31"}


# -- key_collision, repeat_purchase


def test_two_customers_with_equal_keys_are_two_stories(drill):
    for _ in range(2):
        intent, token = begun(drill)
        drill.pay_lost(intent, token, 2.0, key="same")
        drill.pay(intent, token, 9.0, key="same")
        drill.capture(token)
        drill.final(intent)
    assert accused(drill) == set()


def test_an_equal_key_settles_nothing_for_another_customer(drill):
    """The first one's lost answer is not explained by the second one's decline under the same key."""
    one, token = begun(drill)
    drill.pay_lost(one, token, 2.0, key="same")
    drill.capture(token)
    drill.final(one)
    other, second = begun(drill)
    drill.pay_declined(other, second, 9.0, key="same")
    drill.decline(second, at=9.1)
    drill.final(other, "payment_failed")
    assert accused(drill) == set()


def test_the_same_cart_bought_twice_is_two_orders(drill):
    for _ in range(2):
        drill.checkout()
    assert accused(drill) == set()


# -- saved_token


def buys_with_saved(drill, amount, at=2.0):
    intent = drill.intent(amount=amount)
    drill.create(intent)
    token = drill.saved_token(intent, CARD)
    drill.pay(intent, token, at)
    drill.final(intent)
    return intent, token


def test_three_orders_by_one_saved_card_are_told_apart_by_their_amounts(drill):
    for amount in (500, 700, 900):
        buys_with_saved(drill, amount)
    for amount in (900, 500, 700):
        drill.capture(CARD, amount)
    assert accused(drill) == set()


def test_an_order_charged_twice_on_a_saved_card_is_the_one_that_is_accused(drill):
    for amount in (500, 700):
        buys_with_saved(drill, amount)
        drill.capture(CARD, amount)
    drill.capture(CARD, 700, at=6.0)
    results = drill.standard_end().judge()
    (finding,) = results["I-01"].findings
    assert (finding.intent, finding.money_at_risk[0].minor) == ("i2", 700)
    assert results["I-31"].verdict == "pass"


def test_a_charge_of_a_saved_card_that_nobody_agreed_to_is_nobodys(drill):
    buys_with_saved(drill, 500)
    drill.capture(CARD, 500)
    drill.capture(CARD, 499, at=6.0)
    found = drill.standard_end().judge()
    assert {number for number, one in found.items() if one.verdict == "fail"} == {"I-05", "I-06"}
    assert found["I-06"].findings[0].intent is None


def test_parts_of_one_object_belong_to_the_amount_that_it_was_authorised_for(drill):
    """500 is also what somebody else pays by this card: the object was 1200's before."""
    buys_with_saved(drill, 1200)
    buys_with_saved(drill, 500)
    drill.effect("auth", "pi_split", 1200, 2.05, token=CARD)
    drill.capture(CARD, 500, pi="pi_split", at=2.1)
    drill.capture(CARD, 700, pi="pi_split", at=2.2)
    drill.capture(CARD, 500, at=2.3)
    assert accused(drill) == set()
