"""Every call, error and event that docs/psp.md claims, driven by the official SDK, and held against Stripe's schema.

One tour through everything; then: the tables of the page name what was driven, and nothing else.
"""

from __future__ import annotations

import os
import re
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
import stripe

from paydrill.psp import customers, disputes, methods, reads, requests, routes, webhook_endpoints
from paydrill.psp.event_types import EVENT_TYPES

DOC = Path(__file__).parents[2] / "docs" / "psp.md"
OURS = {"POST /challenge/:id", "GET /v1/settlements/:id"}
"""Calls that Stripe does not have."""
CLASSES = {
    400: stripe.InvalidRequestError,
    401: stripe.AuthenticationError,
    402: stripe.CardError,
    404: stripe.InvalidRequestError,
    409: stripe.APIError,
    429: stripe.RateLimitError,
    500: stripe.APIError,
    503: stripe.APIError,
}
SOON = {
    "async_s": 0.2,
    "refund_pending_s": 0.2,
    "refund_fail_s": 0.2,
    "late_decline_s": 0.2,
    "dispute_s": 0.2,
}


@dataclass
class Exchange:
    """One call of the SDK as it went over the wire."""

    method: str
    path: str
    status: int
    body: dict


class Recorder(stripe.RequestsClient):
    def __init__(self) -> None:
        super().__init__(timeout=20)
        self.seen: list[Exchange] = []

    def request(self, method, url, headers, post_data=None):
        content, status, answer_headers = super().request(method, url, headers, post_data)
        self.seen.append(Exchange(method.upper(), urlsplit(url).path, status, orjson.loads(content)))
        return content, status, answer_headers


@dataclass
class Tour:
    """What the tour saw: exchanges of the SDK, errors by what the page claims, events, the journal's calls."""

    exchanges: list[Exchange] = field(default_factory=list)
    errors: set[tuple[int, str, str | None]] = field(default_factory=set)
    events: list[dict] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)


class Guide:
    """Drives one simulator."""

    def __init__(self, simulator, key, wait_until) -> None:
        self.simulator, self.wait_until = simulator, wait_until
        self.recorder = Recorder()
        self.tour = Tour(self.recorder.seen)
        self.v1 = stripe.StripeClient(
            key,
            base_addresses={"api": simulator.url},
            max_network_retries=0,
            http_client=self.recorder,
        ).v1
        self._last = 0

    def token(self, how: str = "") -> str:
        self._last += 1
        return f"pm_pd_{9_000_000 + self._last}" + (f"_{how}" if how else "")

    def pay(self, token: str | None = None, amount: int = 1000, **more):
        return self.v1.payment_intents.create(
            {
                "amount": amount,
                "currency": "usd",
                "payment_method": token or self.token(),
                "confirm": True,
                **more,
            }
        )

    def refused(self, status: int, code: str | None, call) -> stripe.StripeError:
        """The call is refused so, with the SDK's class for it."""
        with pytest.raises(stripe.StripeError) as raised:
            call()
        error = raised.value
        expected = stripe.IdempotencyError if error.error.type == "idempotency_error" else CLASSES[status]
        assert (error.http_status, error.error.code) == (status, code), error
        assert type(error) is expected
        self.tour.errors.add((status, error.error.type, code))
        return error

    def browser(self, pi: str, outcome: str) -> tuple[int, dict]:
        request = urllib.request.Request(
            f"{self.simulator.url}/challenge/{pi}",
            data=orjson.dumps({"outcome": outcome}),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, orjson.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, orjson.loads(error.read())

    def in_time(self, what: str, condition) -> None:
        self.wait_until(condition, what)


def payments(guide: Guide) -> None:
    v1 = guide.v1
    paid = guide.pay(expand=["latest_charge", "payment_method"], metadata={"order": "o-1"})
    v1.payment_intents.retrieve(paid.id, {"expand": ["latest_charge"]})
    v1.payment_intents.list({"limit": 2, "expand": ["data.latest_charge"]})
    v1.payment_intents.search({"query": "metadata['order']:'o-1' AND status:'succeeded'"})
    v1.charges.search({"query": "metadata['order']:'o-1'"})
    v1.payment_intents.update(paid.id, {"description": "tea"})
    later = v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "eur",
            "automatic_payment_methods": {"enabled": True},
            "payment_method_options": {"card": {"request_multicapture": "if_available"}},
        }
    )
    v1.payment_intents.confirm(later.id, {"payment_method": guide.token(), "return_url": "https://shop.test"})
    v1.payment_intents.cancel(v1.payment_intents.create({"amount": 500, "currency": "eur"}).id)
    held = guide.pay(capture_method="manual")
    v1.payment_intents.capture(held.id, {"amount_to_capture": 300, "final_capture": False})
    v1.payment_intents.capture(held.id, {"amount_to_capture": 300})
    v1.payment_intents.cancel(guide.pay(capture_method="manual").id, {"cancellation_reason": "duplicate"})
    guide.pay("pm_card_mastercard", customer=v1.customers.create({"name": "A"}).id)
    v1.charges.retrieve(paid.latest_charge.id)
    v1.charges.list({"payment_intent": paid.id})
    v1.balance.retrieve()


def side_objects(guide: Guide) -> None:
    v1 = guide.v1
    customer = v1.customers.create({"email": "a@b.test", "address": {"city": "Ulm"}, "metadata": {"a": "b"}})
    v1.customers.update(customer.id, {"name": "Anna"})
    v1.customers.retrieve(customer.id)
    v1.customers.list({"email": "a@b.test"})
    made = v1.payment_methods.create(
        {"type": "card", "card": {"token": "tok_visa"}, "billing_details": {"name": "Anna"}}
    )
    v1.payment_methods.attach(made.id, {"customer": customer.id})
    v1.payment_methods.retrieve(made.id, {"expand": ["customer"]})
    v1.payment_methods.list({"customer": customer.id, "type": "card"})
    v1.payment_methods.detach(made.id)
    endpoint = v1.webhook_endpoints.create({"url": "http://127.0.0.1:1/x", "enabled_events": ["*"]})
    v1.webhook_endpoints.retrieve(endpoint.id)
    v1.webhook_endpoints.list()
    v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
    v1.webhook_endpoints.delete(endpoint.id)


def challenges(guide: Guide) -> None:
    asked = guide.pay(guide.token("challenge"))
    assert guide.browser(asked.id, "approve") == (200, {"status": "succeeded"})
    refused = guide.pay("pm_card_threeDSecure2Required")
    assert guide.browser(refused.id, "refuse") == (200, {"status": "requires_payment_method"})
    guide.refused(
        402, "authentication_required", lambda: guide.pay(guide.token("challenge"), off_session=True)
    )


def afterwards(guide: Guide) -> None:
    """What the provider does by itself, and waits until all of it is done."""
    v1 = guide.v1
    guide.pay(guide.token("async"))
    guide.pay(guide.token("asyncfail"))
    guide.pay(guide.token("latedecline"))
    guide.pay(guide.token("latedecline"), capture_method="manual")
    for how in ("refundpending", "refundfail"):
        refund = v1.refunds.create({"payment_intent": guide.pay(guide.token(how)).id, "reason": "duplicate"})
        v1.refunds.retrieve(refund.id, {"expand": ["charge"]})
        v1.refunds.update(refund.id, {"metadata": {"a": "b"}})
        guide.refused(400, None, lambda refund=refund: v1.refunds.cancel(refund.id))
    disputed = guide.pay(guide.token("disputed"))
    with guide.simulator.control() as psp:
        guide.in_time("the PSP has done what it does by itself", lambda: psp.status().later == 0)
        psp.behave({**SOON, "auth_life_s": 0.2})
        guide.pay(capture_method="manual")
        guide.in_time("the hold has expired", lambda: psp.status().later == 0)
        psp.behave(SOON)
    v1.refunds.list({"payment_intent": disputed.id})
    guide.refused(400, "charge_disputed", lambda: v1.refunds.create({"payment_intent": disputed.id}))
    dispute = v1.disputes.list({"payment_intent": disputed.id}).data[0]
    v1.disputes.retrieve(dispute.id, {"expand": ["charge"]})
    v1.disputes.close(dispute.id)


def refusals(guide: Guide) -> None:
    v1 = guide.v1
    create = v1.payment_intents.create
    ok = {"amount": 500, "currency": "usd"}
    for code, params in (
        ("parameter_missing", {"amount": 500}),
        ("parameter_unknown", {**ok, "colour": "red"}),
        ("parameter_invalid_integer", {**ok, "amount": "ten"}),
        ("parameter_invalid_empty", {**ok, "currency": ""}),
        ("amount_too_small", {**ok, "amount": 1}),
        ("amount_too_large", {**ok, "amount": 10**8}),
        ("resource_missing", {**ok, "customer": "cus_none"}),
    ):
        guide.refused(400, code, lambda params=params: create(params))
    guide.refused(
        400, "url_invalid", lambda: v1.webhook_endpoints.create({"url": "x", "enabled_events": ["*"]})
    )
    paid = guide.pay()
    guide.refused(400, "payment_intent_unexpected_state", lambda: v1.payment_intents.capture(paid.id))
    guide.refused(
        400, "amount_too_large", lambda: v1.refunds.create({"payment_intent": paid.id, "amount": 1001})
    )
    v1.refunds.create({"payment_intent": paid.id})
    guide.refused(400, "charge_already_refunded", lambda: v1.refunds.create({"payment_intent": paid.id}))
    create(ok, {"idempotency_key": "k1"})
    guide.refused(400, None, lambda: create({**ok, "amount": 501}, {"idempotency_key": "k1"}))
    stranger = guide.simulator.client("sk_test_of_somebody_else")
    guide.refused(401, None, lambda: stranger.v1.balance.retrieve())
    for how, code in (
        ("declined", "card_declined"),
        ("insufficient_funds", "card_declined"),
        ("lost_card", "card_declined"),
        ("expired_card", "expired_card"),
        ("incorrect_cvc", "incorrect_cvc"),
        ("processing_error", "processing_error"),
    ):
        guide.refused(402, code, lambda how=how: guide.pay(guide.token(how)))
    number = {"number": "4111111111111111", "exp_month": 1, "exp_year": 2040}
    guide.refused(
        402, "incorrect_number", lambda: v1.payment_methods.create({"type": "card", "card": number})
    )
    guide.refused(404, "resource_missing", lambda: v1.disputes.retrieve("du_none"))
    guide.refused(404, None, lambda: v1.products.list())


def busy_and_broken(guide: Guide) -> None:
    """A held request, a stored 500, a rate limit, and the freeze that ends the tour."""
    v1 = guide.v1
    held = guide.pay(capture_method="manual")
    with guide.simulator.control() as psp:
        hold = psp.arm(action="capture", pi=held.id, point="before_commit").hold
        caller = threading.Thread(
            target=lambda: guide.simulator.client().v1.payment_intents.capture(
                held.id, {}, {"idempotency_key": "busy"}
            )
        )
        caller.start()
        assert psp.wait_held(20) is not None
        again = {"idempotency_key": "busy"}
        guide.refused(409, "idempotency_key_in_use", lambda: v1.payment_intents.capture(held.id, {}, again))
        guide.refused(429, "lock_timeout", lambda: v1.payment_intents.cancel(held.id))
        psp.release(hold)
        caller.join(20)
        psp.behave({"commit_then_500": 1.0})
        guide.refused(500, None, lambda: guide.pay())
        psp.behave({"rate_limit": 1.0})
        guide.refused(429, "rate_limit", lambda: guide.pay())
        psp.behave({})
        psp.freeze()
        guide.refused(503, None, lambda: guide.pay())


@pytest.fixture(scope="module")
def tour(tmp_path_factory, helpers) -> Tour:
    os.environ["NO_PROXY"] = "127.0.0.1"
    simulator = helpers.Simulator(tmp_path_factory.mktemp("tour"), behaviour=SOON)
    with helpers.running(simulator):
        guide = Guide(simulator, helpers.KEY, helpers.eventually)
        for step in (payments, side_objects, challenges, afterwards, refusals):
            step(guide)
        page = guide.v1.events.list({"limit": 100})
        guide.v1.events.retrieve(page.data[0].id)
        guide.tour.events = [orjson.loads(orjson.dumps(one.to_dict())) for one in page.auto_paging_iter()]
        day = time.strftime("%Y-%m-%d", time.gmtime())
        request = urllib.request.Request(
            f"{simulator.url}/v1/settlements/{day}.csv", headers={"Authorization": f"Bearer {helpers.KEY}"}
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["Content-Type"].startswith("text/csv")
        busy_and_broken(guide)
        rows = simulator.read_answered().requests
        names = {"challenge": "POST /challenge/:id"}
        guide.tour.calls = {names.get(row.op, row.op) for row in rows if row.stopped_by is None}
    return guide.tour


# -- the page --------------------------------------------------------------------------------------


def section(title: str) -> str:
    text = DOC.read_text()
    return re.split(r"^## ", text.split(f"\n## {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def claimed_calls() -> set[str]:
    return set(re.findall(r"`((?:GET|POST|DELETE) /[^`]+)`", section("Calls").split("\n\n")[0]))


def claimed_errors() -> set[tuple[int, str, str | None]]:
    claims: set[tuple[int, str, str | None]] = set()
    for status, kind, codes in re.findall(
        r"^\| (\d{3}) \| `(\w+)`([^|]*)\|", section("Errors"), flags=re.MULTILINE
    ):
        named = [code for code in re.findall(r"`(\w+)`", codes) if code != "decline_code"]
        claims |= {(int(status), kind, code) for code in named} or {(int(status), kind, None)}
    return claims


def claimed_events() -> set[str]:
    prefixes = r"payment_intent|charge|refund|customer|payment_method"
    return set(re.findall(rf"`((?:{prefixes})\.[a-z_.]+)`", section("States")))


def test_every_call_of_the_page_was_driven_and_there_are_no_others(tour):
    known = {f"{call.method} {call.path}" for call in routes.CALLS}
    assert claimed_calls() == known
    assert claimed_calls() - tour.calls == set()


def test_every_error_of_the_page_was_driven(tour):
    assert len(claimed_errors()) > 20
    assert claimed_errors() - tour.errors == set()
    assert {(status, kind) for status, kind, _ in tour.errors} == {
        (status, kind) for status, kind, _ in claimed_errors()
    }


def test_every_event_of_the_page_was_told_and_there_are_no_others(tour):
    assert claimed_events() == set(EVENT_TYPES)
    assert {event["type"] for event in tour.events} == set(EVENT_TYPES)


# -- Stripe's schema -------------------------------------------------------------------------------


def test_every_answer_fits_stripes_schema(schema, tour, breaches):
    problems, looked_at = set(), 0
    for one in tour.exchanges:
        node = answer_schema(schema, one)
        if node is not None:
            looked_at += 1
            problems.update(breaches(schema, node, one.body, f"{one.method} {one.path.split('/')[2]}"))
    assert sorted(problems) == []
    assert looked_at == len(tour.exchanges) >= 90


def test_what_every_event_tells_fits_stripes_schema(schema, tour, breaches):
    schemas = schema["components"]["schemas"]
    problems = set()
    for event in tour.events:
        problems.update(breaches(schema, schemas["event"], event, "event"))
        told = event["data"]["object"]
        problems.update(breaches(schema, schemas[told["object"]], told, event["type"]))
    assert sorted(problems) == []


MODELS = (
    stripe.PaymentIntent,
    stripe.Charge,
    stripe.Refund,
    stripe.Dispute,
    stripe.Event,
    stripe.Customer,
    stripe.PaymentMethod,
    stripe.WebhookEndpoint,
    stripe.Balance,
)


def test_every_object_survives_the_sdk(tour):
    models, seen = {one.OBJECT_NAME: one for one in MODELS}, set()
    told = [event["data"]["object"] for event in tour.events]
    answered = [one.body for one in tour.exchanges if one.status == 200]
    for item in (*told, *answered, *tour.events):
        if item.get("object") not in models or item.get("deleted"):
            continue
        made = models[item["object"]].construct_from(item, "sk")
        known = {name for base in type(made).__mro__ for name in getattr(base, "__annotations__", {})}
        assert set(item) - known == set(), item["object"]
        seen.add(made.object)
    assert seen == set(models)


def whitelists() -> dict[str, set[str]]:
    """The parameters that each of our calls takes, by call."""
    found: dict[str, set[str]] = {
        "POST /v1/payment_intents": requests.CREATE_FIELDS,
        "POST /v1/payment_intents/:id": requests.UPDATE_FIELDS,
        "POST /v1/payment_intents/:id/confirm": requests.CONFIRM_FIELDS,
        "POST /v1/payment_intents/:id/capture": requests.CAPTURE_FIELDS,
        "POST /v1/payment_intents/:id/cancel": requests.CANCEL_FIELDS,
        "POST /v1/refunds": requests.REFUND_FIELDS,
        "POST /v1/refunds/:id": requests.UPDATE_REFUND_FIELDS,
        "POST /v1/refunds/:id/cancel": requests.CANCEL_REFUND_FIELDS,
        "POST /v1/disputes/:id/close": disputes.CLOSE_FIELDS,
        "POST /v1/customers": customers.CREATE_FIELDS,
        "POST /v1/customers/:id": customers.UPDATE_FIELDS,
        "POST /v1/payment_methods": methods.CREATE_FIELDS,
        "POST /v1/payment_methods/:id/attach": methods.ATTACH_FIELDS,
        "POST /v1/payment_methods/:id/detach": methods.DETACH_FIELDS,
        "POST /v1/webhook_endpoints": webhook_endpoints.CREATE_FIELDS,
        "POST /v1/webhook_endpoints/:id": webhook_endpoints.UPDATE_FIELDS,
        "DELETE /v1/webhook_endpoints/:id": set(),
        "GET /v1/balance": {"expand"},
    }
    for name, collection in reads.COLLECTIONS.items():
        found[f"GET /v1/{name}"] = {*reads.PAGING, *collection.filters}
        found[f"GET /v1/{name}/:id"] = {"expand"}
    found["GET /v1/payment_intents/:id"] = {"expand", "client_secret"}
    for name in routes.SEARCHED:
        found[f"GET /v1/{name}/search"] = set(reads.SEARCH_FIELDS)
    return found


def test_calls_and_their_parameters_are_stripes(schema):
    assert set(whitelists()) == {f"{call.method} {call.path}" for call in routes.CALLS} - OURS
    for call, ours in whitelists().items():
        method, path = call.split(" ")
        operation = schema["paths"][stripes_path(schema, path)][method.lower()]
        content = operation.get("requestBody", {}).get("content", {})
        form = content.get("application/x-www-form-urlencoded", {}).get("schema", {}).get("properties", {})
        theirs = set(form) | {one["name"] for one in operation.get("parameters", ())}
        assert ours - theirs == set(), call


def answer_schema(schema, one: Exchange):
    """Of Stripe's answer to that call; None where Stripe has no such call."""
    path = stripes_path(schema, one.path)
    if path is None:
        return schema["components"]["schemas"]["error"] if one.status >= 400 else None
    answers = schema["paths"][path][one.method.lower()]["responses"]
    return answers["200" if one.status == 200 else "default"]["content"]["application/json"]["schema"]


def stripes_path(schema, path: str) -> str | None:
    """The template in Stripe's schema that a path fits; the one with the fewest variables."""
    parts = path.split("/")
    fits = [
        template
        for template in schema["paths"]
        if len(template.split("/")) == len(parts)
        and all(
            theirs == ours or theirs.startswith("{")
            for theirs, ours in zip(template.split("/"), parts, strict=True)
        )
    ]
    return min(fits, key=lambda template: template.count("{"), default=None)
