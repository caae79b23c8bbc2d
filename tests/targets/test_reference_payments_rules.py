"""The pure rules of the payments side: circuit breaker, retry budget, routing, settlement file, outcomes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "targets" / "reference"))
from services.breaker import Breaker, Limits
from services.payment_rows import CAME_TO_NOTHING, HOLDS_MONEY, OPEN_PAYMENT
from services.payment_states import ALLOWED
from services.psp_outcomes import (
    ActionRequired,
    Authorised,
    Canceled,
    Captured,
    Declined,
    Pending,
    read_intent,
)
from services.retry_budget import RetryBudget
from services.routing import Earlier, choose
from services.settlement_file import NoFile, read


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


LIMITS = Limits(window_s=5.0, calls=4, failing=0.75, open_s=1.0, probes=2)


def call(breaker, *, failed):
    assert breaker.enter()
    breaker.leave(failed)


def opened(clock):
    breaker = Breaker(LIMITS, clock)
    for _ in range(4):
        call(breaker, failed=True)
    return breaker


def test_a_few_failures_or_few_calls_do_not_open_it(clock):
    breaker = Breaker(LIMITS, clock)
    for failed in (True, True, False, False, True, True):
        call(breaker, failed=failed)
    assert breaker.state == "closed"


def test_failures_that_are_long_past_do_not_count(clock):
    breaker = Breaker(LIMITS, clock)
    for _ in range(3):
        call(breaker, failed=True)
    clock.now = 6.0
    call(breaker, failed=True)
    assert breaker.state == "closed"


def test_it_opens_tries_a_few_and_closes_on_a_good_answer(clock):
    breaker = opened(clock)
    assert (breaker.state, breaker.enter()) == ("open", False)
    clock.now = 1.0
    assert [breaker.enter() for _ in range(3)] == [True, True, False]
    breaker.leave(False)
    assert breaker.state == "closed"


def test_a_bad_answer_to_a_try_opens_it_again(clock):
    breaker = opened(clock)
    clock.now = 1.0
    call(breaker, failed=True)
    assert (breaker.state, breaker.enter()) == ("open", False)
    clock.now = 2.0
    assert breaker.state == "half_open"


@given(st.lists(st.tuples(st.sampled_from(["enter", "good", "bad"]), st.floats(0, 2)), max_size=200))
def test_it_never_stays_open_for_good(steps):
    clock = Clock()
    breaker, inside = Breaker(LIMITS, clock), 0
    for what, pause_s in steps:
        clock.now += pause_s
        if what == "enter":
            inside += breaker.enter()
        elif inside:
            inside -= 1
            breaker.leave(what == "bad")
    while inside:
        inside -= 1
        breaker.leave(True)
    clock.now += 10.0
    call(breaker, failed=False)
    assert breaker.state == "closed"


def test_retries_are_a_share_of_first_tries_and_a_few_in_time(clock):
    budget = RetryBudget(clock, share=0.2, per_s=1.0, most=5.0)
    assert [budget.spend() for _ in range(6)] == [True] * 5 + [False]
    for _ in range(10):
        budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    clock.now = 1.0
    assert [budget.spend() for _ in range(2)] == [True, False]


def test_the_first_attempt_goes_to_the_first_psp():
    assert choose(("psp", "psp2"), []) == "psp"


@pytest.mark.parametrize(
    ("state", "code", "goes_to"),
    [
        ("declined", "card_declined", "psp"),
        ("declined", "processing_error", "psp2"),
        ("failed", "failed_at_psp", "psp2"),
        ("voided", None, "psp"),
        ("expired", None, "psp"),
    ],
)
def test_where_an_attempt_goes_after_one_that_came_to_nothing(state, code, goes_to):
    assert choose(("psp", "psp2"), [Earlier("psp", state, code)]) == goes_to


@given(
    st.sampled_from(sorted({*OPEN_PAYMENT, *HOLDS_MONEY})),
    st.sampled_from(["psp", "psp2"]),
    st.permutations(["psp", "psp2"]),
)
def test_an_attempt_that_may_be_charged_is_never_left_for_another_psp(state, psp, names):
    failed = Earlier("psp" if psp == "psp2" else "psp2", "failed", None)
    assert choose(names, [failed, Earlier(psp, state, None)]) == psp


def test_every_state_is_open_or_final_and_money_never_leads_back():
    assert set(ALLOWED) == {*OPEN_PAYMENT, *HOLDS_MONEY} - {"charged_back"}
    reached = {new for states in ALLOWED.values() for new in states} | set(ALLOWED)
    assert reached == {*OPEN_PAYMENT, *HOLDS_MONEY, *CAME_TO_NOTHING}
    assert all(ALLOWED[state] <= set(HOLDS_MONEY) for state in HOLDS_MONEY if state in ALLOWED)


def intent(status, **more):
    record = {
        "id": "pi_1",
        "status": status,
        "amount": 500,
        "amount_received": 0,
        "amount_capturable": 0,
        "currency": "kwd",
        "created": 1,
        "metadata": {"payment": "pay_1"},
        "last_payment_error": None,
    }
    return read_intent({**record, **more}).outcome()


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (intent("succeeded", amount_received=500), Captured("pi_1", 500, "KWD")),
        (intent("requires_capture", amount_capturable=500), Authorised("pi_1", 500, "KWD")),
        (intent("requires_action"), ActionRequired("pi_1")),
        (intent("processing"), Pending("pi_1")),
        (intent("canceled"), Canceled("pi_1")),
        (
            intent("requires_payment_method", last_payment_error={"code": "expired_card"}),
            Declined("pi_1", "expired_card"),
        ),
        (intent("requires_payment_method"), Pending("pi_1")),
    ],
)
def test_what_a_record_of_the_psp_is_evidence_of(outcome, expected):
    assert outcome == expected


HEAD = "type,id,payment_intent,charge,amount,currency,fee,net,created\n"


def test_lines_of_a_settlement_file_name_the_postings_that_they_must_have():
    lines = read(
        HEAD
        + "charge,ch_1,pi_1,ch_1,500,jpy,8,492,1\nrefund,re_1,pi_1,ch_1,-500,jpy,0,-500,2\n"
        + "refund,re_1,pi_1,ch_1,500,jpy,0,500,3\ndispute,dp_1,pi_1,ch_1,-500,jpy,0,-500,4\n"
    )
    assert [(line.ref, line.amount, line.currency) for line in lines] == [
        ("capture:pi_1", 500, "JPY"),
        ("refund:re_1", -500, "JPY"),
        ("refund_failed:re_1", 500, "JPY"),
        ("chargeback:dp_1", -500, "JPY"),
    ]
    assert lines[0].fee == 8


@pytest.mark.parametrize(
    "text", ['{"error": 1}\nx', HEAD + "charge,ch_1,pi_1\n", HEAD + "gift,a,b,c,1,usd,0,1,1\n"]
)
def test_what_is_no_settlement_file_is_said_so(text):
    with pytest.raises(NoFile):
        read(text)
