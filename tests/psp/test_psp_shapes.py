"""Our JSON against Stripe's own schema and the SDK's models: objects as lists give them."""

from __future__ import annotations

import orjson
import pytest
import stripe

from paydrill.psp import requests, shapes

KINDS = {
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "event": stripe.Event,
}


@pytest.fixture(scope="module")
def samples(shared, sdk):
    """One object of every kind in every interesting state, as they came over the wire."""
    base = {"amount": 1000, "currency": "usd", "payment_method": "pm_pd_990001", "metadata": {"a": "b"}}
    paid = sdk.v1.payment_intents.create({**base, "confirm": True, "expand": ["latest_charge"]})
    sdk.v1.refunds.create({"payment_intent": paid.id, "amount": 10})
    sdk.v1.payment_intents.create({**base, "confirm": True, "capture_method": "manual"})
    fresh = sdk.v1.payment_intents.create(base)
    sdk.v1.payment_intents.cancel(fresh.id, {"cancellation_reason": "duplicate"})
    with pytest.raises(stripe.CardError):
        sdk.v1.payment_intents.create({**base, "payment_method": "pm_card_chargeDeclined", "confirm": True})
    found = [("payment_intent", orjson.loads(paid.last_response.body))]
    for kind, service in (
        ("payment_intent", sdk.v1.payment_intents),
        ("charge", sdk.v1.charges),
        ("refund", sdk.v1.refunds),
        ("event", sdk.v1.events),
    ):
        page = orjson.loads(service.list({"limit": 100}).last_response.body)
        found += [(kind, item) for item in page["data"]]
    assert {kind for kind, _ in found} == set(KINDS)
    return found


def test_every_object_fits_stripes_schema(schema, samples, breaches):
    problems = {
        problem for kind, item in samples for problem in breaches(schema, named(schema, kind), item, kind)
    }
    assert sorted(problems) == []


def test_error_bodies_fit_stripes_schema(schema, sdk, breaches):
    calls = [
        lambda: sdk.v1.payment_intents.create(
            {"amount": 100, "currency": "usd", "payment_method": "pm_card_chargeDeclined", "confirm": True}
        ),
        lambda: sdk.v1.payment_intents.create({"amount": 100}),
        lambda: sdk.v1.payment_intents.retrieve("pi_none"),
        lambda: sdk.v1.payment_intents.capture(
            sdk.v1.payment_intents.create({"amount": 100, "currency": "usd"}).id
        ),
    ]
    for call in calls:
        with pytest.raises(stripe.StripeError) as raised:
            call()
        body = orjson.loads(raised.value.http_body)
        assert breaches(schema, named(schema, "error"), body, "error") == []


def test_our_parameters_are_stripes(schema):
    for path, ours in (
        ("/v1/payment_intents", requests.CREATE_FIELDS),
        ("/v1/payment_intents/{intent}", requests.UPDATE_FIELDS),
        ("/v1/payment_intents/{intent}/confirm", requests.CONFIRM_FIELDS),
        ("/v1/payment_intents/{intent}/capture", requests.CAPTURE_FIELDS),
        ("/v1/payment_intents/{intent}/cancel", requests.CANCEL_FIELDS),
        ("/v1/refunds", requests.REFUND_FIELDS),
    ):
        content = schema["paths"][path]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
        assert set(ours) - set(content["schema"]["properties"]) == set(), path


def test_every_key_is_one_that_the_sdk_knows(samples):
    for kind, item in samples:
        known = {name for base in KINDS[kind].__mro__ for name in getattr(base, "__annotations__", {})}
        assert set(item) - known == set(), kind


def test_every_object_survives_the_sdk(samples):
    for kind, item in samples:
        made = (
            stripe.StripeObject.construct_from(item, "sk")
            if kind == ""
            else KINDS[kind].construct_from(item, "sk")
        )
        assert made.to_dict()["id"] == item["id"] and made.object == kind


def test_the_version_is_the_sdks():
    assert stripe.api_version == shapes.API_VERSION


def named(schema, kind):
    return schema["components"]["schemas"][kind]
