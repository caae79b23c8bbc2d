"""Every call and error that docs/psp.md names, through the official SDK."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

import pytest
import stripe

DECLINES = [
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
    ("pm_card_visa_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
]


def test_create_and_confirm_at_once_captures_and_keeps_the_harness_token(sdk, shared, token, charge_of):
    intent = sdk.v1.payment_intents.create(charge_of(token, 1999, metadata={"order ü": "a&b=c"}))
    assert (intent.status, intent.amount_received, intent.payment_method) == ("succeeded", 1999, token)
    assert intent.metadata["order ü"] == "a&b=c"
    rows = [row for row in shared.read().effects if row.pi == intent.id]
    assert [(row.kind, row.amount, row.currency, row.token) for row in rows] == [
        ("auth", 1999, "USD", int(token[6:])),
        ("capture", 1999, "USD", int(token[6:])),
    ]


def test_create_then_confirm(sdk, token):
    created = sdk.v1.payment_intents.create({"amount": 700, "currency": "eur"})
    assert created.status == "requires_payment_method"
    confirmed = sdk.v1.payment_intents.confirm(created.id, {"payment_method": token, "off_session": True})
    assert (confirmed.id, confirmed.status) == (created.id, "succeeded")


def test_manual_capture_of_a_part_releases_the_rest(sdk, shared, token, charge_of):
    held = sdk.v1.payment_intents.create(charge_of(token, 1000, capture_method="manual"))
    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 1000, 0)
    done = sdk.v1.payment_intents.capture(held.id, {"amount_to_capture": 400})
    assert (done.status, done.amount_capturable, done.amount_received) == ("succeeded", 0, 400)
    rows = [(row.kind, row.amount) for row in shared.read().effects if row.pi == held.id]
    assert rows == [("auth", 1000), ("capture", 400), ("release", 600)]


def test_cancel_of_a_hold_releases_it(sdk, shared, token, charge_of):
    held = sdk.v1.payment_intents.create(charge_of(token, 1000, capture_method="manual"))
    ended = sdk.v1.payment_intents.cancel(held.id, {"cancellation_reason": "abandoned"})
    assert (ended.status, ended.cancellation_reason, ended.amount_capturable) == ("canceled", "abandoned", 0)
    rows = [(row.kind, row.amount) for row in shared.read().effects if row.pi == held.id]
    assert rows == [("auth", 1000), ("release", 1000)]


def test_update_changes_metadata_and_the_amount_only_before_it_is_paid(sdk, token):
    intent = sdk.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "metadata": {"a": "1", "b": "2"}}
    )
    updated = sdk.v1.payment_intents.update(intent.id, {"amount": 600, "metadata": {"a": "", "c": "3"}})
    assert (updated.amount, updated.metadata.to_dict()) == (600, {"b": "2", "c": "3"})
    sdk.v1.payment_intents.confirm(intent.id, {"payment_method": token})
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sdk.v1.payment_intents.update(intent.id, {"amount": 700})
    assert raised.value.code == "payment_intent_unexpected_state"


def test_refunds_in_parts_until_nothing_is_left(sdk, token, charge_of):
    intent = sdk.v1.payment_intents.create(charge_of(token, 1000))
    first = sdk.v1.refunds.create({"payment_intent": intent.id, "amount": 300, "reason": "duplicate"})
    rest = sdk.v1.refunds.create({"charge": intent.latest_charge})
    assert (first.status, first.amount, rest.amount) == ("succeeded", 300, 700)
    assert sdk.v1.refunds.retrieve(first.id).charge == intent.latest_charge
    listed = sdk.v1.refunds.list({"payment_intent": intent.id})
    assert [refund.id for refund in listed.data] == [rest.id, first.id]
    paid = sdk.v1.charges.retrieve(intent.latest_charge)
    assert (paid.refunded, paid.amount_refunded) == (True, 1000)
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sdk.v1.refunds.create({"payment_intent": intent.id})
    assert (raised.value.code, raised.value.http_status) == ("charge_already_refunded", 400)


def test_a_refund_greater_than_what_is_left_is_refused(sdk, token, charge_of):
    intent = sdk.v1.payment_intents.create(charge_of(token, 1000))
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount") as raised:
        sdk.v1.refunds.create({"payment_intent": intent.id, "amount": 1001})
    assert raised.value.param == "amount"


def test_a_hold_cannot_be_refunded(sdk, token, charge_of):
    held = sdk.v1.payment_intents.create(charge_of(token, 1000, capture_method="manual"))
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        sdk.v1.refunds.create({"payment_intent": held.id})


@pytest.mark.parametrize(("card", "code", "decline_code"), DECLINES)
def test_decline_cards(sdk, charge_of, card, code, decline_code):
    with pytest.raises(stripe.CardError) as raised:
        sdk.v1.payment_intents.create(charge_of(card))
    error = raised.value.error
    assert (raised.value.http_status, error.code, error.decline_code) == (402, code, decline_code)
    intent = error.payment_intent
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    # Stripe's names for test cards make a PaymentMethod of their own each time.
    assert intent.last_payment_error.payment_method.id.startswith("pm_") and card not in str(intent)
    failed = sdk.v1.charges.retrieve(error.charge)
    assert (failed.status, failed.paid, failed.failure_code) == ("failed", False, code)


def test_after_a_decline_the_same_intent_takes_another_card(sdk, shared, token, charge_of):
    with pytest.raises(stripe.CardError) as raised:
        sdk.v1.payment_intents.create(charge_of("pm_card_chargeDeclined"))
    intent = raised.value.error.payment_intent
    paid = sdk.v1.payment_intents.confirm(intent.id, {"payment_method": token})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    rows = [(row.kind, row.token) for row in shared.read().effects if row.pi == intent.id]
    assert rows == [("decline", None), ("auth", int(token[6:])), ("capture", int(token[6:]))]


def test_a_harness_token_is_charged_as_often_as_asked(sdk, shared, token, charge_of):
    intents = {sdk.v1.payment_intents.create(charge_of(token)).id for _ in range(3)}
    captured = [row for row in shared.read().effects if row.token == int(token[6:]) and row.kind == "capture"]
    assert {row.pi for row in captured} == intents and len(intents) == 3


def test_list_is_newest_first_with_created_and_cursors(sdk, token, charge_of):
    since = int(time.time())
    made = [sdk.v1.payment_intents.create(charge_of(token, 100 + n)).id for n in range(5)]
    newest = list(reversed(made))
    page = sdk.v1.payment_intents.list({"created": {"gte": since}, "limit": 2})
    assert [intent.id for intent in page.data] == newest[:2] and page.has_more
    after = sdk.v1.payment_intents.list({"starting_after": newest[1], "limit": 3})
    assert [intent.id for intent in after.data] == newest[2:]
    before = sdk.v1.payment_intents.list({"ending_before": newest[3], "limit": 2})
    assert [intent.id for intent in before.data] == newest[1:3] and before.has_more
    walked = [intent.id for intent in sdk.v1.payment_intents.list({"limit": 2}).auto_paging_iter()]
    assert walked[:5] == newest and len(walked) == len(set(walked))
    nothing = sdk.v1.payment_intents.list({"created": {"gte": since + 3600}})
    assert nothing.data == [] and not nothing.has_more


def test_charges_and_events_can_be_listed_and_read(sdk, token, charge_of):
    intent = sdk.v1.payment_intents.create(charge_of(token))
    charges = sdk.v1.charges.list({"payment_intent": intent.id}).data
    assert [one.id for one in charges] == [intent.latest_charge]
    events = sdk.v1.events.list({"limit": 3}).data
    told = {event.type: event for event in events if event.data.object.to_dict().get("id") == intent.id}
    assert set(told) == {"payment_intent.created", "payment_intent.succeeded"}
    event = sdk.v1.events.retrieve(told["payment_intent.succeeded"].id)
    assert event.data.object.status == "succeeded"
    # A snapshot of that time: the intent had not been confirmed then.
    assert told["payment_intent.created"].data.object.status == "requires_confirmation"
    only = sdk.v1.events.list({"type": "payment_intent.created", "limit": 100}).data
    assert {event.type for event in only} == {"payment_intent.created"}


def test_expand_gives_objects_for_ids(sdk, token, charge_of):
    intent = sdk.v1.payment_intents.create(charge_of(token, expand=["latest_charge"]))
    assert (intent.latest_charge.object, intent.latest_charge.amount) == ("charge", 1000)
    read = sdk.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert read.latest_charge.payment_method == token
    listed = sdk.v1.payment_intents.list({"limit": 1, "expand": ["data.latest_charge"]})
    assert listed.data[0].latest_charge.id == intent.latest_charge.id


BAD_PARAMETERS = [
    ({"currency": "usd"}, "parameter_missing", "amount"),
    ({"amount": 100}, "parameter_missing", "currency"),
    ({"amount": "ten", "currency": "usd"}, "parameter_invalid_integer", "amount"),
    ({"amount": 0, "currency": "usd"}, "parameter_invalid_integer", "amount"),
    ({"amount": 49, "currency": "usd"}, "amount_too_small", "amount"),
    ({"amount": 100_000_000, "currency": "usd"}, "amount_too_large", "amount"),
    ({"amount": 5124, "currency": "kwd"}, "parameter_invalid_integer", "amount"),
    ({"amount": 100, "currency": ""}, "parameter_invalid_empty", "currency"),
    ({"amount": 100, "currency": "xxx"}, None, "currency"),
    ({"amount": 100, "currency": "usd", "colour": "red"}, "parameter_unknown", "colour"),
    ({"amount": 100, "currency": "usd", "payment_method": "pm_nobody"}, "resource_missing", "payment_method"),
    ({"amount": 100, "currency": "usd", "confirm": True}, "parameter_missing", "payment_method"),
    ({"amount": 100, "currency": "usd", "capture_method": "later"}, None, "capture_method"),
    ({"amount": 100, "currency": "usd", "metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 41}]"),
    ({"amount": 100, "currency": "usd", "expand": ["application"]}, None, "expand"),
]


@pytest.mark.parametrize(("params", "code", "param"), BAD_PARAMETERS)
def test_bad_parameters_are_400_and_name_the_parameter(sdk, params, code, param):
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sdk.v1.payment_intents.create(params)
    assert (raised.value.http_status, raised.value.code, raised.value.param) == (400, code, param)


def test_currencies_with_three_and_no_decimals(sdk, token, charge_of):
    for currency, amount in (("kwd", 5120), ("jpy", 500)):
        intent = sdk.v1.payment_intents.create(charge_of(token, amount, currency=currency))
        assert (intent.amount_received, intent.currency) == (amount, currency)


def test_wrong_states_are_400_with_the_intent(sdk, token, charge_of):
    paid = sdk.v1.payment_intents.create(charge_of(token))
    calls = [
        lambda: sdk.v1.payment_intents.confirm(paid.id),
        lambda: sdk.v1.payment_intents.capture(paid.id),
        lambda: sdk.v1.payment_intents.cancel(paid.id),
    ]
    for call in calls:
        with pytest.raises(stripe.InvalidRequestError) as raised:
            call()
        assert raised.value.code == "payment_intent_unexpected_state"
        assert raised.value.error.payment_intent.id == paid.id


def test_capturing_more_than_is_held_is_refused(sdk, token, charge_of):
    held = sdk.v1.payment_intents.create(charge_of(token, 1000, capture_method="manual"))
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sdk.v1.payment_intents.capture(held.id, {"amount_to_capture": 1001})
    assert raised.value.code == "amount_too_large"


def test_unknown_ids_are_404_in_the_path_and_400_in_parameters(sdk):
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent: 'pi_none'") as raised:
        sdk.v1.payment_intents.retrieve("pi_none")
    assert (raised.value.http_status, raised.value.code, raised.value.param) == (
        404,
        "resource_missing",
        "intent",
    )
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sdk.v1.refunds.create({"payment_intent": "pi_none"})
    assert (raised.value.http_status, raised.value.code) == (400, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sdk.v1.payment_intents.list({"starting_after": "pi_none"})
    assert (raised.value.http_status, raised.value.param) == (400, "starting_after")


def test_wrong_and_missing_api_keys_are_401(shared):
    with pytest.raises(stripe.AuthenticationError, match=r"Invalid API Key provided: sk_\*+nope"):
        shared.client("sk_test_this_nope").v1.payment_intents.list()
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(f"{shared.url}/v1/payment_intents")
    assert raised.value.code == 401
    stopped = [row for row in shared.read_answered().requests if row.stopped_by == "auth"]
    assert len(stopped) >= 2 and all(row.status == 401 for row in stopped)


def test_unknown_urls_are_404(sdk, shared):
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as raised:
        sdk.v1.products.create({"name": "nothing"})
    assert raised.value.http_status == 404
    assert any(
        row.op == "POST /v1/products" and row.stopped_by == "unknown_url"
        for row in shared.read_answered().requests
    )


def test_health_needs_no_key_and_is_not_journalled(shared):
    before = shared.read_answered().lines
    with urllib.request.urlopen(f"{shared.url}/healthz") as answer:
        assert answer.status == 200
    assert shared.read().lines == before


def test_every_request_is_in_the_journal_with_its_answer(sdk, shared, token, charge_of):
    before = len(shared.read_answered().requests)
    intent = sdk.v1.payment_intents.create(charge_of(token), {"idempotency_key": f"journal-{token}"})
    sdk.v1.payment_intents.retrieve(intent.id)
    create, read = shared.read_answered().requests[before:]
    number = int(token[6:])
    assert (create.op, create.money, create.idem_key) == (
        "POST /v1/payment_intents",
        True,
        f"journal-{token}",
    )
    assert (create.token, create.pi, create.status, create.delivered) == (number, intent.id, 200, True)
    assert (create.nth, create.decision, create.stopped_by) == (1, None, None)
    assert (read.op, read.money, read.token, read.pi) == (
        "GET /v1/payment_intents/:id",
        False,
        number,
        intent.id,
    )
    assert create.t_recv_ns < create.t_ans_ns < read.t_recv_ns < read.t_ans_ns
