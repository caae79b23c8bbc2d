"""The shop against the PSP simulator: charged once, whatever is lost."""

from __future__ import annotations

import concurrent.futures
import json
import sqlite3

import pytest


def test_a_cart_becomes_a_purchase_that_is_paid_once(world):
    made = world.check_out()
    assert (made.status, made.body["state"], made.body["total"], made.body["currency"]) == (
        201,
        "open",
        "1.70",
        "EUR",
    )
    number = made.body["number"]
    paid = world.pay(number)
    assert (paid.status, paid.body["state"]) == (200, "paid")
    assert world.ask("GET", "/purchases?basket=b1").body == paid.body
    assert [(effect.token, effect.amount, effect.currency) for effect in world.effects()] == [
        (17, 170, "EUR")
    ]


def test_the_same_request_again_means_the_same_purchase_and_payment(world):
    first, again = world.check_out(), world.check_out()
    assert (again.status, again.body) == (200, first.body)
    number = first.body["number"]
    assert [world.pay(number).status for _ in range(3)] == [200, 200, 200]
    assert world.pay(number, request_id="pay-2").status == 200  # the same card: PUT means the same payment
    assert len(world.effects()) == 1


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"total": "1.71"}, 409, "price_changed"),
        ({"total": "1.7"}, 400, "bad_amount"),
        ({"total": 170}, 400, "bad_amount"),
        ({"articles": []}, 400, "bad_field"),
        ({"articles": [{"sku": "gold", "qty": 1}]}, 400, "unknown_article"),
        ({"articles": [{"sku": "pencil", "qty": True}]}, 400, "bad_field"),
        ({"articles": [{"sku": "pencil", "qty": 0}]}, 400, "bad_count"),
        ({"basket": ""}, 400, "bad_field"),
    ],
)
def test_a_checkout_that_is_wrong_is_refused_and_makes_nothing(world, change, status, word):
    body = {"basket": "b9", "articles": [{"sku": "pencil", "qty": 2}], "total": "1.70"}
    answer = world.ask("POST", "/cart/checkout", body | change, "r9")
    assert (answer.status, answer.word) == (status, word)
    assert world.ask("GET", "/purchases?basket=b9").status == 404


def test_a_request_id_belongs_to_one_request(world):
    number = world.check_out().body["number"]
    assert world.check_out(basket="b2", request_id="b1-create").word == "request_id_reused"
    assert world.check_out(qty=4, total="3.40").word == "basket_changed"
    body = {"basket": "b3", "articles": [{"sku": "pencil", "qty": 2}], "total": "1.70"}
    assert world.ask("POST", "/cart/checkout", body).word == "no_request_id"
    world.pay(number)
    assert world.pay(number, card="pm_pd_33").word == "request_id_reused"
    assert world.pay(number, card="pm_pd_33", request_id="pay-2").word == "already_paid"
    assert world.pay(number, total="9.99", request_id="pay-3").word == "price_changed"
    assert world.pay("M-none").word == "no_such_purchase"
    assert len(world.effects()) == 1


def test_after_a_refused_card_another_one_pays(world):
    number = world.check_out().body["number"]
    world.control.behave({"decline": 1.0})
    refused = world.pay(number)
    assert (refused.status, refused.body["state"]) == (402, "refused")
    assert world.pay(number).status == 402
    world.control.behave({})
    paid = world.pay(number, card="pm_pd_18", request_id="pay-2")
    assert (paid.status, paid.body["state"]) == (200, "paid")
    assert [effect.token for effect in world.effects()] == [18]


@pytest.mark.parametrize("behaviour", ["commit_then_drop", "commit_then_500", "slow_commit"])
def test_a_charge_whose_answer_is_lost_is_found_and_not_made_again(world, behaviour):
    number = world.check_out().body["number"]
    world.control.behave({behaviour: 1.0, "slow_commit_s": 3 * world.call_s})
    answer = world.pay(number)
    assert (answer.status, answer.body["state"]) == (202, "settling")
    assert world.pay(number, card="pm_pd_18", request_id="pay-2").word == "being_paid"
    world.control.behave({})
    world.await_paid(number)
    assert world.pay(number).status == 200
    assert len(world.effects()) == 1


def test_a_shop_that_is_killed_while_it_charges_knows_it_when_it_is_back(world):
    number = world.check_out().body["number"]
    hold = world.control.arm(action="create", max_s=10.0).hold
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(world.pay, number)
        assert world.control.wait_held(10.0) is not None
        world.kill_shop()
        asked.exception(10)
    world.control.release(hold, "drop")
    world.start_shop()
    world.await_paid(number)
    assert len(world.effects()) == 1


def test_many_at_once_charge_once(world):
    number = world.check_out().body["number"]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: world.pay(number), range(12)))
    assert {answer.status for answer in answers} <= {200, 202}
    world.await_paid(number)
    assert len(world.effects()) == 1


def test_its_database_itself_refuses_a_second_live_payment(world):
    number = world.check_out().body["number"]
    world.pay(number)
    with sqlite3.connect(world.folder / "shop.sqlite3") as database, pytest.raises(sqlite3.IntegrityError):
        database.execute(
            "INSERT INTO payment (id, purchase, request_id, card, cents, made_at, asked_at)"
            " VALUES ('x', ?, 'r', 'c', 1, 0, 0)",
            (number,),
        )


def test_no_card_token_and_no_key_is_in_its_log(world):
    world.pay(world.check_out().body["number"])
    log = (world.folder / "shop.log").read_text()
    assert "pm_pd_17" not in log and "sk_test" not in log, json.dumps(log[-500:])
