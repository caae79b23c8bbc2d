"""Every traffic class, on a stack in memory that does everything right, and on some that do not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from paydrill.errors import UsageError
from paydrill.evidence.saved_cards import SavedCards, saved_token
from paydrill.load import classes
from paydrill.load.answers import RawAnswer
from paydrill.load.classes.canary import card_number
from paydrill.load.counters import LagHistogram
from paydrill.load.customers import customers, operators
from paydrill.load.docs import with_classes
from paydrill.load.history import History
from paydrill.load.intents import SECOND_WISHES, IntentMaker
from paydrill.load.offers import lacks, left_out
from paydrill.load.operations import PspDoor, Shop, compile_requests
from paydrill.load.orders import Orders
from paydrill.load.products import Shelves, read_products
from paydrill.load.shopper import Shopper
from paydrill.topology import Edge, Topology

DOCS = Path(__file__).resolve().parents[2] / "docs"
ARRIVALS = 40
WITH_DOOR = Topology("one", "One", (), (Edge("client", "lb-1"), Edge("client", "psp")))


class HandPace:
    """Time goes on only by waiting and by answers; what is done together is done in turn."""

    def __init__(self):
        self.t_ns = 1_000

    def now_ns(self):
        return self.t_ns

    def sleep_until(self, t_ns):
        self.t_ns = max(self.t_ns, t_ns)

    def together(self, deeds):
        for deed in deeds:
            deed()


class StackWire:
    """Straight into the stack in memory. An answer takes 20 ms; who is not so patient never sees it."""

    def __init__(self, pace, stack, spoil=lambda name, answer: answer):
        self.pace, self.stack, self.spoil, self.sent = pace, stack, spoil, []

    def begin_anew(self):
        pass

    def another(self):
        return self

    def send(self, method, path, headers, body, timeout_s, name):
        self.sent.append((name, path, headers, body))
        answer = self.stack.begin(method, path, headers, body)
        status, document, replayed = self.spoil(name, answer() if callable(answer) else answer)
        self.pace.t_ns += int(min(timeout_s, 0.02) * 1e9)
        if timeout_s < 0.02:
            return RawAnswer(None, err="timeout")
        return RawAnswer(status, json.dumps(document).encode(), replayed=replayed)


class Crowd:
    """Customers of one class, one after the other, and what was written down of them."""

    def __init__(self, target, new_stack, folder, **spoiling):
        self.pace = HandPace()
        self.stack = new_stack(self.pace.now_ns)
        self.wire = StackWire(self.pace, self.stack, **spoiling)
        self.path = folder / "history-0.jsonl"
        self.history = History(self.path, "client->lb-1")
        self.target = target

    def run(self, name, arrivals=ARRIVALS, seed=3):
        """The endings, in order."""
        known = classes.known()
        shelves = Shelves(read_products(self.target.catalogue), self.target.pricing)
        maker = IntentMaker(seed, {name: 1}, known, shelves, customers(seed, 20, "s"))
        client = self.target.client
        shop = Shop(client, compile_requests(client), self.history, Orders(), self.pace, 6.0, 8.0, maker,
                    operators("s"), PspDoor("http://psp.example", "client->psp"))  # fmt: skip
        ended = []
        for index in range(arrivals):
            intent = maker.make(index, self.pace.now_ns())
            if "create" not in known[name].needs:
                self._someone_bought(shop, maker, index)
            ended.append(known[name].run(Shopper(shop, self.wire, intent)))
            self.history.ended(intent, ended[-1])
        self.history.close(complete=True, lag=LagHistogram().lag())
        return ended

    def _someone_bought(self, shop, maker, index):
        traffic = classes.known()["checkout"]
        buyer = IntentMaker(7, {"checkout": 1}, classes.known(), maker._shelves, maker._people)
        traffic.run(Shopper(shop, self.wire, buyer.make(1000 + index, self.pace.now_ns())))

    def rows(self, kind, **fields):
        lines = (json.loads(line) for line in self.path.read_text().splitlines())
        rows = (row for row in lines if row["kind"] == kind)
        return [row for row in rows if all(row.get(name) == value for name, value in fields.items())]


@pytest.fixture
def crowd(stack_target, new_stack, tmp_path):
    return Crowd(stack_target, new_stack, tmp_path)


@pytest.mark.parametrize("name", classes.known())
def test_on_a_correct_stack_every_arrival_ends_as_declared_and_its_event_is_seen(crowd, name):
    ended = crowd.run(name)
    assert [one for one in ended if not one.as_declared] == []
    seen = sum(one.signature for one in ended)
    assert seen >= {"cancel": 15, "challenge": 20, "hot_sku": 20, "closed_browser": 10}.get(name, ARRIVALS)
    paid_orders = [charge[0] for charge in crowd.stack.charges]
    assert len(paid_orders) == len(set(paid_orders)), "the stack in memory charges once"


@pytest.mark.parametrize("name", classes.known())
def test_every_token_is_issued_once_and_before_it_is_sent(crowd, name):
    crowd.run(name, 10)
    tokens = [row["token"] for row in crowd.rows("token")]
    assert len(tokens) == len(set(tokens))
    issued = {row["token"]: row["t"] for row in crowd.rows("token")}
    for row in crowd.rows("invoke", op_kind="pay"):
        assert issued[row["token"]] <= row["t"]


@pytest.mark.parametrize("name", ["double_click", "same_key_burst", "late_retry"])
def test_the_same_request_again_is_the_same_bytes(crowd, name):
    crowd.run(name, 5)
    for intent in {row["intent"] for row in crowd.rows("intent")}:
        pays = crowd.rows("invoke", intent=intent, op_kind="pay")
        assert len(pays) == {"double_click": 2, "same_key_burst": 8, "late_retry": 2}[name]
        assert len({(row["idem_key"], row["body"], row["token"], row["route"]) for row in pays}) == 1
    answers = {row["op"]: row for row in crowd.rows("return")}
    replayed = [answers[row["op"]]["replayed"] for row in crowd.rows("invoke", op_kind="pay")]
    assert replayed.count(False) == 5


def test_a_late_retry_comes_more_than_six_seconds_later(crowd):
    crowd.run("late_retry", 5)
    for intent in range(1, 6):
        first, late = crowd.rows("invoke", intent=intent, op_kind="pay")
        assert late["due"] - first["due"] >= 6_000_000_000


def test_a_new_key_for_the_same_cart_is_the_same_intent_with_another_token(crowd):
    crowd.run("retry_new_key", 5)
    assert len(crowd.rows("intent")) == 5 and len(crowd.stack.orders) == 5
    first, second = crowd.rows("invoke", intent=1, op_kind="pay")
    assert first["idem_key"] != second["idem_key"] and first["token"] != second["token"]


def test_a_second_wish_has_an_id_cart_tokens_and_end_of_its_own(crowd):
    crowd.run("repeat_purchase", 5)
    first, second = crowd.rows("intent", arrival=4)
    assert (first["intent"], second["intent"]) == (4, 4 + SECOND_WISHES)
    assert first["client_ref"] != second["client_ref"]
    assert [first[name] for name in ("items", "amount", "customer")] == [
        second[name] for name in ("items", "amount", "customer")
    ]
    (end,) = crowd.rows("done", intent=4)
    (second_end,) = crowd.rows("done", intent=4 + SECOND_WISHES)
    assert end["as_declared"] is True and "as_declared" not in second_end


def test_colliding_keys_are_equal_and_their_customers_are_not(crowd):
    crowd.run("key_collision", 5)
    for arrival in range(1, 6):
        one, other = crowd.rows("intent", arrival=arrival)
        assert one["customer"] != other["customer"]
        keys = [[row["idem_key"] for row in crowd.rows("invoke", intent=each["intent"], op_kind="pay")]
                for each in (one, other)]  # fmt: skip
        assert keys[0] == keys[1]


def test_three_parts_are_different_and_give_everything_back(crowd):
    crowd.run("partial_refunds", 10)
    for intent in crowd.rows("intent"):
        parts = [row["amount"] for row in crowd.rows("invoke", intent=intent["intent"], op_kind="refund")]
        assert sum(parts) == intent["amount"] and len(set(parts)) == 3
    assert all(order["back"] == order["total"] for order in crowd.stack.orders.values())


def test_two_refunds_at_once_ask_for_more_than_was_paid(crowd):
    crowd.run("refund_races_refund", 10)
    for intent in crowd.rows("intent"):
        parts = [row["amount"] for row in crowd.rows("invoke", intent=intent["intent"], op_kind="refund")]
        assert sum(parts) > intent["amount"] > max(parts)


def test_an_operator_asks_by_name_and_as_an_admin(crowd):
    crowd.run("operator_refund_again", 5)
    for intent in range(1, 6):
        first, again = crowd.rows("invoke", intent=intent, op_kind="refund")
        assert first["refund_ref"] == again["refund_ref"] is not None
        assert first["idem_key"] != again["idem_key"]
        assert first["caller"].startswith("support_")
    sent = [headers["Authorization"] for name, _, headers, _ in crowd.wire.sent if name == "refund"]
    assert all(word.startswith("Bearer admin.support_") for word in sent)
    assert len(crowd.stack.refunds) == 5


def test_a_challenge_is_done_at_the_psp_over_its_own_edge(crowd):
    crowd.run("challenge")
    done = crowd.rows("invoke", op_kind="challenge")
    edges = {row["op"]: row["edge"] for row in crowd.rows("return")}
    assert {edges[row["op"]] for row in done} == {"client->psp"}
    urls = {path for name, path, _, _ in crowd.wire.sent if name == "challenge"}
    assert all(url.startswith("http://psp.example/challenge/pi_") for url in urls)
    times = [sum(row["intent"] == intent for row in done) for intent in range(1, ARRIVALS + 1)]
    assert {0, 1, 2} == set(times)
    outcomes = {challenge["outcome"] for challenge in crowd.stack.challenges.values()}
    assert outcomes == {None, "approve", "refuse"}


def test_a_saved_card_is_one_word_on_the_wire_and_its_amounts_are_all_different(crowd):
    crowd.run("saved_token", 10)
    tokens = crowd.rows("token")
    assert len(tokens) == 30
    for arrival in range(1, 11):
        mine = [row for row in tokens if row["saved"] == arrival * 16]
        assert {row["wire"] for row in mine} == {f"pm_pd_{arrival * 16}_saved"}
        assert len({row["amount"] for row in mine}) == 3
    cards = SavedCards.of(one for row in tokens if (one := saved_token(row)))
    assert {row["saved"] for row in tokens}.isdisjoint({row["token"] for row in tokens})
    for number, row in enumerate(tokens):
        cards.effect(f"pi_{number}", row["saved"], "capture", row["amount"], row["currency"])
        assert cards.token(f"pi_{number}", row["saved"]) == row["token"]


def test_canaries_are_written_down_before_they_are_sent_and_go_into_free_text(crowd):
    crowd.run("canary", 5)
    for intent in range(1, 6):
        (number,) = crowd.rows("canary", intent=intent, canary="pan")
        (created,) = crowd.rows("invoke", intent=intent, op_kind="create")
        assert number["seq"] < created["seq"]
        wish = next(
            order["wish"] for order in crowd.stack.orders.values() if number["text"] in str(order["wish"])
        )
        assert number["text"] in wish["shipping"]["name"] and number["text"] in wish["email"]
        for kind in ("cvv", "secret"):
            (canary,) = crowd.rows("canary", intent=intent, canary=kind)
            assert canary["text"] in wish["note"]
        assert len(wish["note"]) <= 500 and len(wish["shipping"]["name"]) <= 120 and len(wish["email"]) <= 200


@pytest.mark.parametrize("arrival", [1, 2, 77, 123_456_789])
def test_a_canary_has_the_check_digit_of_a_card(arrival):
    digits = [int(digit) for digit in card_number(arrival)]
    assert len(digits) == 16
    doubled = [digit * 2 if place % 2 == 0 else digit for place, digit in enumerate(digits)]
    assert sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def test_ordinary_customers_send_nothing_that_they_do_not_have(crowd):
    crowd.run("checkout", 3)
    bodies = [json.loads(body) for name, _, _, body in crowd.wire.sent if name == "create"]
    assert {tuple(body) for body in bodies} == {("client_ref", "items", "currency", "expected_total")}


def test_a_browser_that_is_closed_asks_no_more(crowd):
    crowd.run("closed_browser", 10)
    assert [name for name, *_ in crowd.wire.sent] == ["create", "pay"] * 10


def test_an_order_that_cannot_be_cancelled_is_stayed_with(stack_target, new_stack, tmp_path):
    def refuse(name, answer):
        return (409, {"error": {"code": "state_conflict"}}, False) if name == "cancel" else answer

    crowd = Crowd(stack_target, new_stack, tmp_path, spoil=refuse)
    crowd.stack._cancel = lambda order, wish: ((409, {}), False)
    ended = crowd.run("edits_cart", 5)
    assert [one.outcome for one in ended] == ["ok"] * 5
    assert len(crowd.stack.orders) == 5 and not any(one.as_declared for one in ended)


WRONG = [
    ("declines", "pay", (200, {"id": "ord_1", "status": "paid"}, False)),
    ("key_reused_other_body", "pay", (200, {"id": "ord_1", "status": "paid"}, False)),
    ("late_retry", "pay", (404, {"error": {"code": "not_found"}}, False)),
    ("refund_races_refund", "refund", (200, {"id": "ord_1", "status": "refunded"}, False)),
    ("partial_refunds", "refund", (409, {"error": {"code": "state_conflict"}}, False)),
    ("operator_refund_again", "refund", (409, {"error": {"code": "state_conflict"}}, False)),
    ("cancel_races_pay", "pay", (404, {"error": {"code": "not_found"}}, False)),
    ("challenge", "challenge", (404, {"error": {"code": "not_found"}}, False)),
    ("reads", "read", (200, {"id": "another", "status": "paid"}, False)),
    ("hot_sku", "create", (422, {"error": {"code": "amount_mismatch"}}, False)),
    (
        "odd_prices",
        "create",
        (201, {"id": "ord_1", "status": "created", "total": 1, "currency": "EUR"}, False),
    ),
]


@pytest.mark.parametrize(("name", "request_name", "answer"), WRONG, ids=[row[0] for row in WRONG])
def test_what_does_not_end_as_declared_is_told(stack_target, new_stack, tmp_path, name, request_name, answer):
    def spoil(sent, right):
        return answer if sent == request_name else right

    crowd = Crowd(stack_target, new_stack, tmp_path, spoil=spoil)
    ended = crowd.run(name, 12)
    assert sum(one.as_declared for one in ended) <= 4
    assert crowd.rows("done")[0]["as_declared"] is ended[0].as_declared


def test_every_class_says_what_it_is(stack_target):
    assert len(classes.known()) == 26
    for name, traffic in classes.known().items():
        assert traffic.name == name
        assert traffic.summary.endswith(".")
        assert traffic.signature and traffic.ends
        assert lacks(traffic, stack_target, WITH_DOOR) == []


def test_what_a_target_does_not_offer_is_left_out(stack_target):
    client = stack_target.client
    requests = {kind: one for kind, one in client.requests.items() if kind not in ("refund", "find")}
    requests["create"] = replace(requests["create"], body={"items": "{{ intent.items }}"})
    rows = tuple({**row, "tags": []} for row in stack_target.catalogue)
    poor = replace(stack_target, client=replace(client, requests=requests), catalogue=rows)
    mix = dict.fromkeys(classes.known(), 1.0)
    lacking = left_out(mix, poor, WITH_DOOR)
    assert set(lacking) == {
        "refund", "partial_refunds", "refund_races_refund", "reads", "hot_sku", "odd_prices", "canary"
    }  # fmt: skip
    assert lacking["hot_sku"] == "a product with the tag hot"
    assert lacking["canary"].startswith("a request that sends intent.note")
    nameless = {kind: replace(one, headers={}) for kind, one in client.requests.items()}
    unknown = replace(stack_target, client=replace(client, requests=nameless))
    assert left_out({"key_collision": 1.0, "checkout": 1.0}, unknown, WITH_DOOR) == {
        "key_collision": "a request that sends intent.bearer or intent.customer"
    }
    without_door = replace(WITH_DOOR, edges=WITH_DOOR.edges[:1])
    assert left_out({"challenge": 1.0, "checkout": 1.0}, stack_target, without_door) == {
        "challenge": "an edge client->psp in the topology one"
    }
    assert left_out({"refund": 0.0, "checkout": 1.0}, poor, WITH_DOOR) == {}


def test_when_no_class_is_left_nothing_is_started(stack_target):
    with pytest.raises(
        UsageError, match="model offers none of these traffic classes: challenge needs an edge"
    ):
        left_out({"challenge": 1.0}, stack_target, replace(WITH_DOOR, edges=()))


def test_the_table_of_classes_is_made_from_them():
    page = (DOCS / "scenarios.md").read_text(encoding="utf-8")
    assert page == with_classes(page), "run: python -m paydrill.load.docs docs/scenarios.md"
