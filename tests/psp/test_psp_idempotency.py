"""Stripe's idempotency rules (v1), alone and under concurrency."""

from __future__ import annotations

import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter

import pytest
import stripe


def post(url: str, key: str, path: str, **params: object):
    """A raw call, since the SDK hides headers and bytes: (status, headers, body)."""
    request = urllib.request.Request(f"{url}{path}", urllib.parse.urlencode(params).encode())
    request.add_header("Authorization", "Bearer sk_test_drill")
    request.add_header("Idempotency-Key", key)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_a_replay_is_byte_equal_and_says_so(shared, token):
    params = {"amount": 1000, "currency": "usd", "payment_method": token, "confirm": "true"}
    first = post(shared.url, f"r-{token}", "/v1/payment_intents", **params)
    again = post(shared.url, f"r-{token}", "/v1/payment_intents", **dict(reversed(params.items())))
    assert (first[0], again[0]) == (200, 200) and first[2] == again[2]
    assert "Idempotent-Replayed" not in first[1] and again[1]["Idempotent-Replayed"] == "true"
    assert again[1]["Original-Request"] == first[1]["Request-Id"] == first[1]["Original-Request"]
    assert again[1]["Request-Id"] != first[1]["Request-Id"]
    assert again[1]["Idempotency-Key"] == f"r-{token}"
    rows = [row for row in shared.read_answered().requests if row.idem_key == f"r-{token}"]
    assert [(row.stopped_by, row.nth) for row in rows] == [(None, 1), ("replay", None)]
    captured = [row for row in shared.read().effects if row.token == int(token[6:]) and row.kind == "capture"]
    assert len(captured) == 1


def test_a_decline_is_replayed(sdk, shared, charge_of):
    answers = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as raised:
            sdk.v1.payment_intents.create(
                charge_of("pm_card_chargeDeclined"), {"idempotency_key": "declined-once"}
            )
        answers.append(raised.value)
    assert answers[0].http_body == answers[1].http_body
    assert answers[1].headers["Idempotent-Replayed"] == "true"


def test_a_wrong_state_is_kept_but_bad_parameters_are_not(sdk, token, charge_of):
    held = sdk.v1.payment_intents.create(charge_of(token, 1000, capture_method="manual"))
    with pytest.raises(stripe.InvalidRequestError):
        sdk.v1.refunds.create({"payment_intent": held.id}, {"idempotency_key": f"state-{token}"})
    sdk.v1.payment_intents.capture(held.id)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        sdk.v1.refunds.create({"payment_intent": held.id}, {"idempotency_key": f"state-{token}"})
    with pytest.raises(stripe.InvalidRequestError):
        sdk.v1.payment_intents.create({"amount": 1}, {"idempotency_key": f"bad-{token}"})
    assert (
        sdk.v1.payment_intents.create(charge_of(token), {"idempotency_key": f"bad-{token}"}).status
        == "succeeded"
    )


def test_a_key_with_other_parameters_is_refused(sdk, token, charge_of):
    key = f"other-{token}"
    paid = sdk.v1.payment_intents.create(charge_of(token), {"idempotency_key": key})
    with pytest.raises(stripe.IdempotencyError, match="same parameters they were first used with") as raised:
        sdk.v1.payment_intents.create(charge_of(token, 2000), {"idempotency_key": key})
    assert raised.value.http_status == 400 and raised.value.error.type == "idempotency_error"
    with pytest.raises(stripe.IdempotencyError, match="same endpoint they were first used for"):
        sdk.v1.refunds.create({"payment_intent": paid.id}, {"idempotency_key": key})
    with pytest.raises(stripe.IdempotencyError, match="255"):
        sdk.v1.payment_intents.create(charge_of(token), {"idempotency_key": "k" * 256})


def test_many_calls_with_one_key_at_once_execute_once(shared, token, charge_of, in_background):
    gate = threading.Barrier(12)

    def call():
        client = shared.client()
        gate.wait()
        return client.v1.payment_intents.create(charge_of(token), {"idempotency_key": f"race-{token}"})

    results = in_background([call] * 12).results()
    paid = [one for one in results if not isinstance(one, Exception)]
    refused = [one for one in results if isinstance(one, stripe.APIError)]
    assert len(paid) >= 1 and len(paid) + len(refused) == 12, Counter(map(repr, results))
    assert {one.id for one in paid} == {paid[0].id}
    assert {(one.http_status, one.error.code) for one in refused} <= {(409, "idempotency_key_in_use")}
    captured = [row for row in shared.read().effects if row.token == int(token[6:]) and row.kind == "capture"]
    assert len(captured) == 1


def test_while_one_is_executed_its_key_is_busy_and_its_object_locked(
    simulator, run_simulator, charge_of, in_background
):
    with run_simulator(simulator), simulator.control() as psp:
        client = simulator.client()
        held = client.v1.payment_intents.create(charge_of("pm_pd_1", 1000, capture_method="manual"))
        armed = psp.arm(action="capture", point="before_commit")
        running = in_background(
            [lambda: client.v1.payment_intents.capture(held.id, {}, {"idempotency_key": "capture"})]
        )
        assert psp.wait_held(10).hold == armed.hold
        with pytest.raises(stripe.APIError) as raised:
            simulator.client().v1.payment_intents.capture(held.id, {}, {"idempotency_key": "capture"})
        assert (raised.value.http_status, raised.value.error.code) == (409, "idempotency_key_in_use")
        with pytest.raises(stripe.IdempotencyError):
            simulator.client().v1.payment_intents.capture(
                held.id, {"amount_to_capture": 5}, {"idempotency_key": "capture"}
            )
        with pytest.raises(stripe.RateLimitError) as raised:
            simulator.client().v1.payment_intents.cancel(held.id)
        assert (raised.value.http_status, raised.value.error.code) == (429, "lock_timeout")
        assert psp.release(armed.hold).released
        assert running.results()[0].status == "succeeded"
        stopped = [row.stopped_by for row in simulator.read_answered().requests]
        assert stopped == [None, None, "conflict", "key_reused", "lock"]


def test_strict_single_use_refuses_a_token_that_was_charged(simulator, run_simulator, charge_of):
    simulator.profile = "strict_single_use"
    with run_simulator(simulator):
        client = simulator.client()
        client.v1.payment_intents.create(charge_of("pm_pd_1"))
        with pytest.raises(stripe.InvalidRequestError, match="It may not be used again"):
            client.v1.payment_intents.create(charge_of("pm_pd_1"))
        assert [row.stopped_by for row in simulator.read_answered().requests] == [None, "single_use"]
