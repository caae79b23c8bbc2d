from __future__ import annotations

import json

import pytest

from paydrill.errors import UsageError
from paydrill.load.customers import customers
from paydrill.load.intents import IntentMaker
from paydrill.load.products import Shelves, read_products
from paydrill.load.templates import CompiledRequest, Op
from paydrill.target import Request


@pytest.fixture
def intent():
    shelves = Shelves(read_products([{"sku": "tea", "unit_price": 435, "currency": "EUR"}]))
    intent = IntentMaker(1, {"checkout": 1}, ["checkout"], shelves, customers(1, 3)).make(0, 0)
    intent.order_ref = "o/1?x"
    return intent


def body_of(template, intent, op=None):
    request = Request("pay", "POST", "/x", {"value": template})
    rendered = CompiledRequest(request).render(intent, op or Op("pay", "k-1", token="pm_pd_17", amount=435))
    return json.loads(rendered.body)["value"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ intent.amount }}", lambda intent: intent.amount),
        ("{{ intent.items }}", lambda intent: intent.items),
        (" {{intent.amount + 1}} ", lambda intent: intent.amount + 1),
        ("{{ op.token }}", lambda intent: "pm_pd_17"),
        ("{{ '12' }}", lambda intent: "12"),
        ("n {{ intent.amount }}", lambda intent: f"n {intent.amount}"),
        ("{{ op.key }}/{{ op.try_no }}", lambda intent: "k-1/1"),
        ("{{ intent.person.name }}", lambda intent: intent.person.name),
        ({"deep": ["{{ op.amount }}", 5, None]}, lambda intent: {"deep": [435, 5, None]}),
    ],
)
def test_a_single_expression_keeps_its_type_and_other_texts_become_strings(intent, template, expected):
    assert body_of(template, intent) == expected(intent)


def test_values_in_a_path_cannot_leave_their_place(intent):
    request = Request("read", "GET", "/orders/{{ intent.order_ref }}?full=1")
    rendered = CompiledRequest(request).render(intent, Op("read", "k"))
    assert rendered.path == "/orders/o%2F1%3Fx?full=1"
    assert rendered.route == "GET /orders/o%2F1%3Fx"
    assert rendered.body is None
    assert rendered.body_hash is None


def test_the_same_op_renders_to_the_same_bytes(intent):
    request = CompiledRequest(Request("create", "POST", "/o", {"items": "{{ intent.items }}", "a": 1}))
    op = Op("create", "k")
    assert request.render(intent, op) == request.render(intent, op)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ intent.amuont }}", "client.requests.pay.body.value: intent.amuont is not known"),
        ("{{ intent.amount + }}", "is not a Jinja2 expression"),
    ],
)
def test_a_wrong_template_is_told_before_anything_starts(template, message):
    with pytest.raises(UsageError) as problem:
        CompiledRequest(Request("pay", "POST", "/x", {"value": template}))
    assert message in str(problem.value)


@pytest.mark.parametrize(
    "template", ["{{ intent.person.shoe }}", "{{ nobody }}", "{{ intent.__class__.mro() }}"]
)
def test_what_is_not_there_or_not_allowed_is_an_error(intent, template):
    with pytest.raises(UsageError):
        body_of(template, intent)


def test_a_path_never_contains_the_word_none(intent):
    intent.order_ref = None
    with pytest.raises(UsageError, match="does not have"):
        CompiledRequest(Request("read", "GET", "/orders/{{ intent.order_ref }}")).render(
            intent, Op("read", "k")
        )
