"""What customers do, on a clock of our own and without a network."""

from __future__ import annotations

import json
import os

import pytest

from paydrill.load import classes
from paydrill.load.answers import Facts, RawAnswer, Result
from paydrill.load.counters import LagHistogram
from paydrill.load.customers import customers
from paydrill.load.history import History, HistoryClosed
from paydrill.load.intents import Intent, IntentMaker
from paydrill.load.operations import Shop, compile_requests
from paydrill.load.orders import Orders
from paydrill.load.policy import Policy
from paydrill.load.products import Shelves, read_products
from paydrill.load.shopper import Shopper, over_tries, settled

PAID = RawAnswer(200, b'{"id": "o1", "status": "paid", "total": 870, "currency": "EUR"}')
CREATED = RawAnswer(201, b'{"id": "o1", "status": "created", "total": 870, "currency": "EUR"}')
ACCEPTED = RawAnswer(202, b'{"id": "o1", "status": "processing"}')
DECLINED = RawAnswer(402, b'{"error": {"code": "card_declined"}}')
BUSY = RawAnswer(429, b'{"error": {"code": "slow_down"}}')
LOST = RawAnswer(None, err="timeout")


class HandPace:
    """Time goes on only by waiting and by answers."""

    def __init__(self):
        self.t_ns = 1_000

    def now_ns(self):
        return self.t_ns

    def sleep_until(self, t_ns):
        self.t_ns = max(self.t_ns, t_ns)

    def together(self, deeds):
        for deed in deeds:
            deed()


class Script:
    """A wire that answers from a list; the last answer is repeated."""

    def __init__(self, pace, answers, took_s=0.1):
        self.pace, self.answers, self.took_s, self.sent = pace, list(answers), took_s, []

    def begin_anew(self):
        pass

    def another(self):
        return self

    def send(self, method, path, headers, body, timeout_s, name):
        self.pace.t_ns += int((timeout_s if self.answers[0] is LOST else self.took_s) * 1e9)
        self.sent.append((name, headers.get("Idempotency-Key"), body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def of(self, name):
        return [sent for sent in self.sent if sent[0] == name]


@pytest.fixture
def visit(tmp_path, shop_client):
    """Runs one class with given answers; returns (outcome, wire, history rows)."""
    count = iter(range(100))

    def visit(cls, answers, retries=4, pays_again=False, timeout_s=1.0, horizon_s=8.0, dice=(0.1, 0.5)):
        pace = HandPace()
        wire = Script(pace, answers)
        path = tmp_path / f"history-{next(count)}.jsonl"
        history = History(path)
        client = shop_client.__class__(
            shop_client.requests,
            shop_client.outcomes,
            shop_client.paid_states,
            ("slow_down",),
            ("payment_failed",),
        )
        people = customers(1, 2)
        shelves = Shelves(read_products([{"sku": "tea", "unit_price": 435, "currency": "EUR"}]))
        maker = IntentMaker(1, {cls: 1}, classes.known(), shelves, people)
        shop = Shop(client, compile_requests(client), history, Orders(), pace, timeout_s, horizon_s, maker)
        policy = Policy(retries, tuple(0.2 * 2**n for n in range(retries)), pays_again)
        intent = Intent(1, cls, people[0], "cart-1", [{"sku": "tea", "qty": 2}], 870, "EUR", 5, policy, dice)
        outcome = classes.known()[cls].run(Shopper(shop, wire, intent)).outcome
        history.close(complete=True, lag=LagHistogram().lag())
        return outcome, wire, [json.loads(line) for line in path.read_text().splitlines()]

    return visit


def result(outcome, executed=False):
    return Result(outcome, executed, 200, None, Facts())


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([result("info"), result("ok", True)], "ok"),
        ([result("info"), result("fail", True)], "fail"),
        ([result("info"), result("fail")], "info"),
        ([result("fail")], "fail"),
        ([result("info"), result("fail", True), result("info")], "info"),
        ([result("fail"), result("info")], "info"),
        ([result("info")], "info"),
    ],
)
def test_only_an_executed_answer_settles_what_was_unknown(results, expected):
    assert settled(results) == expected


@pytest.mark.parametrize(
    ("outcomes", "expected"), [(["fail", "ok"], "ok"), (["fail", "info"], "info"), (["fail", "fail"], "fail")]
)
def test_an_intent_is_as_good_as_its_best_try(outcomes, expected):
    assert over_tries(outcomes) == expected


def test_a_patient_customer_retries_until_the_answer_is_definite(visit):
    outcome, wire, rows = visit("checkout", [CREATED, LOST, LOST, PAID])
    assert outcome == "ok"
    assert len(wire.of("pay")) == 3
    assert len(set(wire.of("pay"))) == 1
    dues = [row["due"] for row in rows if row["kind"] == "invoke" and row["op_kind"] == "pay"]
    assert dues[2] - dues[1] > dues[1] - dues[0]


def test_a_customer_who_gives_up_asks_once_and_leaves(visit):
    outcome, wire, _ = visit("checkout", [CREATED, LOST], retries=0)
    assert outcome == "info"
    assert [sent[0] for sent in wire.sent] == ["create", "pay"]


def test_retries_end_at_the_horizon(visit):
    outcome, wire, _ = visit("checkout", [CREATED, LOST], retries=8, timeout_s=3.0, horizon_s=5.0)
    assert outcome == "info"
    assert len(wire.of("pay")) == 2


def test_a_read_that_shows_the_payment_settles_it_for_the_customer(visit):
    outcome, _, _ = visit("checkout", [CREATED, LOST, LOST, PAID], retries=1)
    assert outcome == "ok"


@pytest.mark.parametrize(("pays_again", "tokens"), [(False, [17]), (True, [17, 18])])
def test_another_card_is_a_new_try_with_a_new_token_and_key(visit, pays_again, tokens):
    answers = [CREATED, DECLINED, PAID] if pays_again else [CREATED, DECLINED, CREATED]
    outcome, wire, rows = visit("checkout", answers, pays_again=pays_again)
    assert outcome == ("ok" if pays_again else "fail")
    assert [row["token"] for row in rows if row["kind"] == "token"] == tokens
    assert len({key for _, key, _ in wire.of("pay")}) == len(tokens)


def test_nobody_takes_another_card_while_the_first_is_unknown(visit):
    _, _, rows = visit("checkout", [CREATED, LOST], retries=2, pays_again=True)
    assert len([row for row in rows if row["kind"] == "token"]) == 1


def test_a_decline_after_a_lost_answer_settles_it(visit):
    outcome, wire, _ = visit("checkout", [CREATED, LOST, DECLINED])
    assert outcome == "fail"
    assert len(wire.of("pay")) == 2


def test_shedding_is_retried_where_the_target_asks_for_it(visit):
    outcome, wire, _ = visit("checkout", [CREATED, BUSY, BUSY, PAID])
    assert outcome == "ok"
    assert len(set(wire.of("pay"))) == 1


def test_an_accepted_payment_that_fails_later_has_failed(visit):
    failed = RawAnswer(200, b'{"id": "o1", "status": "payment_failed"}')
    outcome, wire, _ = visit("checkout", [CREATED, ACCEPTED, ACCEPTED, failed])
    assert outcome == "fail"
    assert len(wire.of("pay")) == 1


def test_an_accepted_payment_that_never_settles_stays_accepted(visit):
    outcome, wire, _ = visit("checkout", [CREATED, ACCEPTED])
    assert outcome == "ok"
    assert len(wire.of("read")) > 5


def test_without_an_order_nobody_pays(visit):
    outcome, wire, rows = visit("checkout", [LOST], retries=1)
    assert outcome == "info"
    assert {sent[0] for sent in wire.sent} == {"create"}
    assert not [row for row in rows if row["kind"] == "token"]


def test_a_refund_is_asked_only_of_what_reads_as_paid(visit):
    _, wire, _ = visit("refund", [CREATED, ACCEPTED])
    assert not wire.of("refund")
    _, wire, rows = visit("refund", [CREATED, PAID], dice=(0.9, 0.5))
    assert len(wire.of("refund")) == 1
    asked = [row["amount"] for row in rows if row["kind"] == "invoke" and row["op_kind"] == "refund"]
    assert 0 < asked[0] < 870


@pytest.mark.parametrize(("dice", "pays"), [((0.1, 0.5), 1), ((0.9, 0.5), 0)])
def test_a_cancel_races_the_payment_or_goes_without(visit, dice, pays):
    _, wire, _ = visit("cancel", [CREATED, PAID], dice=dice)
    assert (len(wire.of("pay")), len(wire.of("cancel"))) == (pays, 1)


def test_a_reader_with_nothing_to_read_asks_nothing(visit):
    outcome, wire, _ = visit("read", [PAID])
    assert outcome == "info"
    assert not wire.sent


def test_the_first_request_is_due_when_the_customer_arrived(visit):
    _, _, rows = visit("checkout", [CREATED, PAID])
    assert next(row for row in rows if row["kind"] == "invoke")["due"] == 5


def test_a_closed_history_takes_no_more_and_knows_its_open_ops_as_unknown(tmp_path):
    history = History(tmp_path / "history-0.jsonl")
    history.close(complete=False, lag=LagHistogram().lag())
    with pytest.raises(HistoryClosed):
        history.start({})
    with pytest.raises(FileExistsError):
        History(tmp_path / "history-0.jsonl")


def test_a_history_that_cannot_be_written_is_told_at_once(tmp_path):
    told = []
    history = History(tmp_path / "history-0.jsonl", broken=told.append)
    with open("/dev/full", "wb") as full:
        os.dup2(full.fileno(), history._log._fd)
        with pytest.raises(OSError, match="No space left"):
            history.start({})
    assert len(told) == 1


def test_lag_percentiles_are_within_a_bucket_of_the_truth():
    histogram = LagHistogram()
    for us in range(1, 10_001):
        histogram.add(us * 1_000)
    lag = histogram.lag()
    assert lag.max_ms == 10.0
    assert 5.0 <= lag.p50_ms <= 5.2
    assert 9.9 <= lag.p99_ms <= 10.0
    assert LagHistogram().lag().p99_ms == 0.0
