"""Our JSON against Stripe's own schema (MIT, inside the source of their stripe-mock), and the SDK's models.

The schema is in Go's module cache after `go mod download github.com/stripe/stripe-mock@v0.203.0`;
without it those tests are skipped. The SDK's models are always there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import orjson
import pytest
import stripe

from paydrill.psp import requests, shapes

MODULE = "github.com/stripe/stripe-mock@v0.203.0"
KINDS = {
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "event": stripe.Event,
}


@pytest.fixture(scope="module")
def schema():
    cache = os.environ.get("GOMODCACHE")
    if cache is None and shutil.which("go"):
        cache = subprocess.run(
            ["go", "env", "GOMODCACHE"], capture_output=True, text=True, check=True
        ).stdout.strip()
    file = Path(cache or "/nonexistent") / MODULE / "embedded" / "openapi" / "spec3.json"
    if not file.exists():
        pytest.skip(f"no Stripe schema here; get it by: go mod download {MODULE}")
    return orjson.loads(file.read_bytes())


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


def test_every_object_fits_stripes_schema(schema, samples):
    problems = {
        problem for kind, item in samples for problem in breaches(schema, named(schema, kind), item, kind)
    }
    assert sorted(problems) == []


def test_error_bodies_fit_stripes_schema(schema, sdk):
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


def resolve(schema, node):
    while "$ref" in node:
        node = schema["components"]["schemas"][node["$ref"].rsplit("/", 1)[1]]
    return node


def breaches(schema, node, value, where):
    """What of `value` does not fit `node`: types, enums, required and unknown keys."""
    node = resolve(schema, node)
    if value is None:
        return [] if node.get("nullable") else [f"{where}: null"]
    if "anyOf" in node:
        tries = [breaches(schema, option, value, where) for option in node["anyOf"]]
        return min(tries, key=len)
    types = {
        "string": str,
        "integer": int,
        "boolean": bool,
        "object": dict,
        "array": list,
        "number": (int, float),
    }
    expected = types.get(node.get("type", "object"))
    if expected and (not isinstance(value, expected) or (expected is int and isinstance(value, bool))):
        return [f"{where}: {type(value).__name__} for {node['type']}"]
    if "enum" in node and value not in node["enum"]:
        return [f"{where}: {value!r} is not in the enum"]
    if isinstance(value, list):
        return [one for item in value for one in breaches(schema, node["items"], item, f"{where}[]")]
    if not isinstance(value, dict) or "properties" not in node:
        return []
    found = [f"{where}.{name}: missing" for name in node.get("required", []) if name not in value]
    for name, item in value.items():
        if name in node["properties"]:
            found += breaches(schema, node["properties"][name], item, f"{where}.{name}")
        elif node.get("additionalProperties") is not True:
            found.append(f"{where}.{name}: unknown")
    return found
