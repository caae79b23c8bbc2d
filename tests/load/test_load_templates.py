from __future__ import annotations

import json

import pytest

from paydrill.errors import UsageError
from paydrill.load import classes
from paydrill.load.customers import customers, operators
from paydrill.load.intents import IntentMaker
from paydrill.load.products import Shelves, read_products
from paydrill.load.templates import CompiledRequest, Op
from paydrill.target import Request


@pytest.fixture
def intent():
    shelves = Shelves(read_products([{"sku": "tea", "unit_price": 435, "currency": "EUR"}]))
    intent = IntentMaker(1, {"checkout": 1}, classes.known(), shelves, customers(1, 3)).make(0, 0)
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


def test_what_is_null_is_left_out_of_the_body_and_so_is_a_map_that_is_left_empty(intent):
    body = {
        "note": "{{ intent.note }}",
        "shipping": {"name": "{{ intent.shipping_name }}"},
        "promo_code": "{{ intent.promo_code }}",
        "amount": "{{ op.amount }}",
        "nothing": {},
        "never": None,
    }
    compiled = CompiledRequest(Request("create", "POST", "/x", body))
    op = Op("create", "k", amount=0)
    assert json.loads(compiled.render(intent, op).body) == {"amount": 0, "nothing": {}}
    intent.note, intent.shipping_name = "", "Ann"
    assert json.loads(compiled.render(intent, op).body) == {
        "note": "", "shipping": {"name": "Ann"}, "amount": 0, "nothing": {}
    }  # fmt: skip


def test_a_body_of_which_nothing_is_left_is_an_empty_one(intent):
    compiled = CompiledRequest(Request("cancel", "POST", "/x", {"reason": "{{ op.reason }}"}))
    assert compiled.render(intent, Op("cancel", "k")).body == b"{}"


def test_an_operator_signs_what_an_operator_asks(intent):
    request = Request(
        "operator_refund", "POST", "/x", None, {"Authorization": "Bearer {{ operator.bearer }}"}
    )
    compiled = CompiledRequest(request)
    asked = Op("operator_refund", "k", operator=operators("s")[0])
    bearer = compiled.render(intent, asked).headers["Authorization"]
    assert bearer.startswith("Bearer admin.support_1.") and len(bearer.rpartition(".")[2]) == 32
    with pytest.raises(UsageError, match="asks for something that this operator_refund does not have"):
        compiled.render(intent, Op("operator_refund", "k"))


def test_another_name_of_an_operator_is_told_at_once():
    request = Request("operator_refund", "POST", "/x", None, {"Authorization": "{{ operator.token }}"})
    with pytest.raises(UsageError, match=r"operator\.token is not known; expected one of bearer, id"):
        CompiledRequest(request)
