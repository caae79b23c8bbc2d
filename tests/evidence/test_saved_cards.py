"""Charges of saved cards: by their amount they belong to one of those who paid by that card, or to nobody."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydrill.evidence.owed import charges_without_order
from paydrill.evidence.saved_cards import SavedCards, SavedToken, saved_token
from paydrill.guards.read_facts import read_facts

CARD = 9_000


def cards(*amounts, currency="USD"):
    return SavedCards.of(SavedToken(17 + nth, CARD, amount, currency) for nth, amount in enumerate(amounts))


def test_an_object_belongs_to_whose_amount_it_is_and_keeps_that():
    known = cards(500, 700)
    known.effect("pi_1", CARD, "auth", 700, "usd")
    known.effect("pi_1", CARD, "capture", 500, "USD")
    known.effect("pi_1", CARD, "refund", 700, "USD")
    assert known.token("pi_1", CARD) == 18


@pytest.mark.parametrize(
    ("effect", "why"),
    [
        (("pi_1", CARD, "capture", 501, "USD"), "an amount that nobody agreed to"),
        (("pi_1", CARD, "capture", 500, "EUR"), "another currency"),
        (("pi_1", CARD, "refund", 500, "USD"), "a refund says nothing of what was charged"),
        ((None, CARD, "capture", 500, "USD"), "no object"),
        ((["pi"], CARD, "capture", 500, "USD"), "junk"),
        (("pi_1", [], {}, "500", None), "junk"),
    ],
)
def test_what_is_not_told_apart_stays_with_the_card(effect, why):
    known = cards(500, 700)
    known.effect(*effect)
    assert known.token("pi_1", CARD) == CARD, why
    assert known.token(None, CARD) == CARD


def test_an_amount_that_two_payments_share_tells_nobody_apart():
    known = cards(500, 500, 700)
    known.effect("pi_1", CARD, "capture", 500, "USD")
    known.effect("pi_2", CARD, "capture", 700, "USD")
    assert (known.token("pi_1", CARD), known.token("pi_2", CARD)) == (CARD, 19)


def test_a_token_of_its_own_is_left_as_it_is():
    known = cards(500)
    known.effect("pi_1", 33, "capture", 500, "USD")
    assert (known.token("pi_1", 33), known.token("pi_1", None)) == (33, None)


@given(st.lists(st.integers(1, 10**6), unique=True, min_size=1, max_size=20), st.randoms())
def test_unique_amounts_are_always_told_apart(amounts, random):
    known, order = cards(*amounts), list(enumerate(amounts))
    random.shuffle(order)
    for nth, amount in order:
        known.effect(f"pi_{nth}", CARD, "capture", amount, "USD")
    assert [known.token(f"pi_{nth}", CARD) for nth in range(len(amounts))] == [
        17 + nth for nth in range(len(amounts))
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"token": 1},
        {"token": 1, "saved": None, "amount": 5, "currency": "USD"},
        {"token": "1", "saved": 2},
        {},
    ],
)
def test_a_card_of_its_own_is_no_saved_one(row):
    assert saved_token(row) is None


def buys(drill, amount):
    intent = drill.intent(amount=amount)
    drill.create(intent)
    token = drill.saved_token(intent, CARD)
    drill.pay(intent, token)
    return intent, token


def test_every_table_of_the_psp_says_whose_it_is(drill):
    tokens = [buys(drill, amount)[1] for amount in (500, 700)]
    objects = [drill.capture(CARD, amount) for amount in (700, 500)]
    stray = drill.capture(CARD, 1)
    folded = drill.standard_end().folded()
    for table in ("psp_effect", "psp_request"):
        rows = pq.read_table(folded.evidence / f"{table}.parquet").to_pylist()
        assert {row["pi"]: row["token"] for row in rows} == {
            objects[0]: tokens[1], objects[1]: tokens[0], stray: CARD
        }  # fmt: skip
    issued = pq.read_table(folded.evidence / "intent_token.parquet").to_pylist()
    assert [(row["saved"], row["amount"], row["currency"]) for row in issued] == [
        (CARD, 500, "USD"), (CARD, 700, "USD")
    ]  # fmt: skip
    (psp,) = read_facts(folded).psps
    assert [capture.token for capture in psp.captures] == [tokens[1], tokens[0], CARD]
    assert {call.token for call in psp.calls} == {*tokens, CARD}


def test_what_is_owed_knows_whose_a_saved_cards_charge_is(drill):
    first, _ = buys(drill, 500)
    buys(drill, 700)
    for amount in (500, 700, 1):
        drill.capture(CARD, amount)
    facts = [{"kind": "order", "client_ref": f"cart-{first}", "state": "paid"}]
    assert charges_without_order(drill.write(), facts) == 2


def test_ops_say_what_refund_was_meant_and_whether_the_answer_was_a_kept_one(drill):
    intent, _, _ = drill.checkout()
    drill.op("refund", intent, 9.0, amount=300, caller="support_2", refund_ref="r-1", replayed=True)
    drill.op("refund", intent, 9.5, amount=300, answered=False)
    folded = drill.standard_end().folded()
    rows = [
        row for row in pq.read_table(folded.evidence / "op.parquet").to_pylist() if row["kind"] == "refund"
    ]
    assert [(row["caller"], row["refund_ref"], row["replayed"]) for row in rows] == [
        ("support_2", "r-1", True), (f"c{intent}", None, None)
    ]  # fmt: skip
