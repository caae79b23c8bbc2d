"""What each idempotency profile keeps, replays, compares and prunes, as a caller meets it."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

import orjson
import pytest

from paydrill.psp.profiles import PROFILES

FIRST_HIT = {"id": "first", "count": 1}


@dataclass(frozen=True)
class Told:
    status: int
    body: bytes
    replayed: bool

    @property
    def code(self) -> str | None:
        return orjson.loads(self.body)["error"].get("code")

    @property
    def id(self) -> str:
        return orjson.loads(self.body)["id"]


class Caller:
    """Raw calls, since an SDK hides bytes; a cut connection is None."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str, key: str, **params: object) -> Told | None:
        request = urllib.request.Request(f"{self.url}/v1/{path}", urllib.parse.urlencode(params).encode())
        request.add_header("Authorization", "Bearer sk_test_drill")
        request.add_header("Idempotency-Key", key)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Told(answer.status, answer.read(), "Idempotent-Replayed" in answer.headers)
        except urllib.error.HTTPError as error:
            return Told(error.code, error.read(), "Idempotent-Replayed" in error.headers)

    def pay(self, key: str, token: str = "pm_pd_1", amount: int = 1000, **more: object) -> Told | None:
        params = {"amount": amount, "currency": "usd", "payment_method": token, "confirm": "true", **more}
        return self.post("payment_intents", key, **params)


@pytest.fixture
def served(simulator, run_simulator):
    """Serve a profile with one rule that hits the first execution."""
    contexts = []

    def serve(profile: str, behaviour: str | None = None, **settings: object) -> Caller:
        simulator.profile = profile
        rules = [{**FIRST_HIT, "behaviour": behaviour}] if behaviour else []
        simulator.behaviour = {**settings, "rules": rules}
        contexts.append(run_simulator(simulator))
        contexts[0].__enter__()
        return Caller(simulator.url)

    yield serve
    contexts[0].__exit__(None, None, None)


def captured(simulator) -> int:
    return sum(row.kind == "capture" for row in simulator.read().effects)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_success_is_answered_again_and_done_once(served, simulator, profile):
    caller = served(profile)
    first, again = caller.pay("k"), caller.pay("k")
    assert (first.status, again.status) == (200, 200) and first.body == again.body
    assert again.replayed == PROFILES[profile].tells_replays
    assert captured(simulator) == 1
    assert [row.stopped_by for row in simulator.read_answered().requests] == [None, "replay"]


@pytest.mark.parametrize(
    ("profile", "second", "captures"),
    [
        ("stripe", 500, 1),
        ("strict_key_only", 500, 1),
        ("strict_single_use", 500, 1),
        ("stripe_v2", 200, 1),
        ("square", 200, 1),
        ("braintree", 200, 1),
        ("checkout", 200, 2),
    ],
)
def test_a_500_over_work_that_was_done(served, simulator, profile, second, captures):
    """Stripe v1 keeps the 500; Checkout.com keeps nothing but a 2xx and charges again."""
    caller = served(profile, "commit_then_500")
    assert caller.pay("k").status == 500
    assert caller.pay("k").status == second
    assert captured(simulator) == captures


@pytest.mark.parametrize(
    ("profile", "second"),
    [
        ("stripe", 402),
        ("strict_key_only", 402),
        ("strict_single_use", 402),
        ("braintree", 402),
        ("stripe_v2", 200),
        ("checkout", 200),
        ("square", 200),
    ],
)
def test_a_decline_with_the_same_key(served, simulator, profile, second):
    """Kept for ever, or failed work that is tried anew."""
    caller = served(profile, "decline")
    assert caller.pay("k").status == 402
    assert caller.pay("k").status == second
    assert captured(simulator) == (1 if second == 200 else 0)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_lost_answer_is_found_again_with_its_key(served, simulator, profile):
    caller = served(profile, "commit_then_drop")
    with pytest.raises(OSError):
        caller.pay("k")
    assert caller.pay("k").status == 200
    assert captured(simulator) == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_the_same_key_with_another_body(served, simulator, profile):
    caller = served(profile)
    first = caller.pay("k")
    other = caller.pay("k", amount=2000)
    if PROFILES[profile].compares:
        assert other.status == 400 and orjson.loads(other.body)["error"]["type"] == "idempotency_error"
    else:
        assert other.body == first.body
    assert captured(simulator) == 1


def test_keys_may_be_pruned_after_idem_ttl_s_and_then_run_anew(served, simulator, wait_until):
    caller = served("stripe", idem_ttl_s=1.0)
    assert caller.pay("k").id == caller.pay("k").id
    wait_until(lambda: not caller.pay("k").replayed, "the key to be pruned")
    assert captured(simulator) == 2


def test_braintree_replays_the_payment_as_it_is_now(served):
    caller = served("braintree")
    held = caller.pay("k", capture_method="manual")
    caller.post(f"payment_intents/{held.id}/capture", "c")
    again = orjson.loads(caller.pay("k", capture_method="manual").body)
    assert (again["id"], again["status"]) == (held.id, "succeeded")


def test_braintree_refuses_the_same_amount_for_the_same_order_with_a_new_key(served, simulator):
    caller = served("braintree")
    order = {"metadata[order_id]": "o1"}
    assert caller.pay("k1", **order).status == 200
    twice = caller.pay("k2", **order)
    assert (twice.status, twice.code) == (402, "card_declined")
    assert orjson.loads(twice.body)["error"]["decline_code"] == "duplicate_transaction"
    assert caller.pay("k3", amount=999, **order).status == 200
    assert caller.pay("k4", **{"metadata[order_id]": "o2"}).status == 200
    assert caller.pay("k5", "pm_pd_2", **order).status == 200
    assert [row.stopped_by for row in simulator.read_answered().requests] == [None, "duplicate", *[None] * 3]


def test_braintree_looks_at_a_confirmation_too_and_remembers_over_kill_9(served, simulator):
    caller = served("braintree")
    assert caller.pay("k1").status == 200
    simulator.kill()
    simulator.start()
    made = caller.pay("k2", confirm="false")
    assert caller.post(f"payment_intents/{made.id}/confirm", "k3").status == 402


def test_square_cancels_a_payment_by_its_key_whatever_became_of_it(served, simulator):
    caller = served("square")
    taken, held = caller.pay("k1"), caller.pay("k2", "pm_pd_2", capture_method="manual")
    for key, payment, status in (("k1", taken, "succeeded"), ("k2", held, "canceled")):
        for _ in range(2):
            done = caller.post("cancel_by_key", f"c{key}", idempotency_key=key)
            told = orjson.loads(done.body)["payment_intent"]
            assert (done.status, told["id"], told["status"]) == (200, payment.id, status)
        refused = caller.pay(key, "pm_pd_1" if key == "k1" else "pm_pd_2")
        assert (refused.status, refused.code) == (400, "idempotency_key_cancelled")
    kinds = [(row.kind, row.token) for row in simulator.read().effects]
    assert kinds == [("auth", 1), ("capture", 1), ("auth", 2), ("refund", 1), ("release", 2)]


def test_square_cancels_a_key_that_never_came_and_refuses_it_then(served, simulator):
    caller = served("square")
    assert caller.post("cancel_by_key", "c", idempotency_key="late").status == 200
    assert caller.pay("late").code == "idempotency_key_cancelled"
    simulator.kill()
    simulator.start()
    assert caller.pay("late").code == "idempotency_key_cancelled"
    assert caller.pay("other").status == 200
    assert captured(simulator) == 1


def test_square_does_not_cancel_what_is_being_executed(served, simulator, wait_until, in_background):
    caller = served("square", "slow_commit", slow_commit_s=1.0)
    paying = in_background([lambda: caller.pay("k")])
    with simulator.control() as psp:
        wait_until(lambda: psp.status().slow_commits == 1, "the payment to be on its way")
        assert caller.post("cancel_by_key", "c1", idempotency_key="k").code == "idempotency_key_in_use"
    assert paying.results()[0].status == 200
    assert caller.post("cancel_by_key", "c2", idempotency_key="k").status == 200
    assert [row.kind for row in simulator.read().effects] == ["auth", "capture", "refund"]


def test_square_wants_to_know_the_key(served):
    caller = served("square")
    assert caller.post("cancel_by_key", "c").code == "parameter_missing"


def test_stripe_has_no_cancel_by_key(served):
    assert served("stripe").post("cancel_by_key", "c", idempotency_key="k").status == 404
