"""Two PSPs: where an attempt goes, and that nothing is ever charged at both."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture(scope="module")
def two(request):
    start_stack = request.getfixturevalue("start_stack_for_module")
    with start_stack(two_psps=True) as stack:
        yield stack


def captures(stack, token):
    return stack.effects(token, "capture", "psp"), stack.effects(token, "capture", "psp2")


def test_a_psp_that_cannot_be_reached_is_left_for_the_other_one(two, await_that):
    stack = two
    order, token = stack.create("rerouted"), next(stack.tokens)
    stack.nodes["psp"].kill()
    try:
        paid = stack.pay(order, token, "rerouted-pay")
    finally:
        stack.restart_psp()
    assert paid.status == 200
    assert captures(stack, token) == ([], [435])
    assert stack.refund(order, 100, "rerouted-refund").status == 200
    assert stack.effects(token, "refund", "psp2") == [100]
    stack.await_state(order, "partially_refunded")


def test_after_unknown_only_the_first_psp_is_asked(two):
    stack = two
    order, token, other = stack.create("unknown-first"), next(stack.tokens), next(stack.tokens)
    stack.psp.behave({"slow_commit": 1.0, "slow_commit_s": 3.0})
    try:
        assert stack.pay(order, token, "unknown-first-1").status == 202
        assert stack.pay(order, other, "unknown-first-2").code == "state_conflict"
    finally:
        stack.psp.behave({})
    stack.await_state(order, "fulfilled")
    assert (captures(stack, token), captures(stack, other)) == (([435], []), ([], []))


def test_an_attempt_after_a_technical_decline_goes_to_the_other_psp(two):
    stack = two
    order, token, other = stack.create("technical"), next(stack.tokens), next(stack.tokens)
    assert stack.pay(order, f"{token}_processing_error", "technical-1").status == 402
    assert stack.pay(order, other, "technical-2").status == 200
    assert captures(stack, other) == ([], [435])


def test_an_attempt_after_a_declined_card_stays_with_the_first_psp(two):
    stack = two
    order, token, other = stack.create("card"), next(stack.tokens), next(stack.tokens)
    assert stack.pay(order, f"{token}_insufficient_funds", "card-1").status == 402
    assert stack.pay(order, other, "card-2").status == 200
    assert captures(stack, other) == ([435], [])


def test_a_stray_charge_at_the_second_psp_is_given_back_there(two, await_that):
    stack = two
    order, token = stack.create("stray-2"), next(stack.tokens)
    stack.pay(order, next(stack.tokens), "stray-2-pay")
    stack.charge_at_psp(token, 435, {"order": order}, psp="psp2")
    await_that(lambda: stack.effects(token, "refund", "psp2") == [435], "it is given back at the second PSP")
    assert stack.effects(token, "refund", "psp") == []


def test_a_psp_that_is_gone_holds_up_nothing_at_the_other_one(two, await_that):
    stack = two
    stack.nodes["psp"].kill()
    try:
        order, token = stack.create("alone"), next(stack.tokens)
        assert stack.pay(order, f"{token}_async", "alone-pay").status == 202
        stack.await_state(order, "fulfilled")
    finally:
        stack.restart_psp()
    assert captures(stack, token) == ([], [435])


def test_many_payments_while_the_first_psp_loses_answers_are_each_charged_once(two):
    stack = two
    stack.psp.behave({"commit_then_drop": 0.5, "commit_then_500": 0.3})
    orders = {stack.create(f"many-{n}"): next(stack.tokens) for n in range(30)}
    try:
        with ThreadPoolExecutor(10) as pool:
            done = [pool.submit(stack.pay, o, t, f"{o}-pay") for o, t in orders.items()]
            assert {future.result().status for future in done} <= {200, 202}
    finally:
        stack.psp.behave({})
    stack.settle()
    for order, token in orders.items():
        assert stack.state(order) == "fulfilled"
        assert sorted([*captures(stack, token)[0], *captures(stack, token)[1]]) == [435]
