"""The public API: who may do what, what is kept under keys, what an order costs, and what never gets out."""

from __future__ import annotations

import json

import pytest

from paydrill.callers import bearer

CARD = "4242 4242 4242 4242"


def _cart(ref, sku="tea-green", qty=1, currency="USD", **more):
    return {"client_ref": ref, "items": [{"sku": sku, "qty": qty}], "currency": currency, **more}


# Who may do what


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer ann",
        "Basic YW5uOmFubg==",
        "Bearer customer.ann." + "0" * 32,
        f"Bearer {bearer('another secret', 'customer', 'ann')}",
        "Bearer owner.ann." + "0" * 32,
    ],
)
def test_without_a_token_that_we_signed_nobody_gets_in(stack, header):
    reply = stack.request("GET", "/v1/orders/x", headers={"Authorization": header} if header else {})
    assert (reply.status, reply.code) == (401, "unauthorised")


def test_a_customer_is_no_operator_and_an_operator_no_customer(stack):
    for path in ("freeze", "unfreeze", "reconcile", "orders/ord_1/capture", "orders/ord_1/void"):
        assert stack.post(f"/admin/{path}", {}, "not-allowed").code == "forbidden"
    for path in ("audit", "reconcile", "settlements"):
        assert stack.get(f"/admin/{path}").code == "forbidden"
    assert stack.admin("/v1/orders", _cart("by-support")).code == "forbidden"


def test_an_operator_reaches_every_order(stack, token):
    order = stack.create("support", customer="ann")
    assert stack.admin(f"/v1/orders/{order}").body["id"] == order
    assert stack.admin("/v1/orders?client_ref=support&customer=ann").body["id"] == order
    assert stack.admin("/v1/orders?client_ref=support&customer=bob").status == 404
    assert stack.admin("/v1/orders?client_ref=support").code == "invalid"
    stack.pay(order, token, "support-pay")
    refunded = stack.admin(f"/v1/orders/{order}/refunds", {"amount": 35})
    assert (refunded.status, refunded.body["refund"]["amount"]) == (200, 35)
    causes = [row["cause"] for row in stack.facts("transition") if row["ref"] == order]
    assert "operator" in causes
    audited = [row for row in _audit(stack) if row["object"] == order]
    assert [(row["who"], row["what"]) for row in audited] == [("admin:support_1", "refund_order")]


def test_customers_find_nothing_of_each_other_s(stack):
    order = stack.create("mine-only", customer="ann")
    for method, path in [
        ("GET", f"/v1/orders/{order}"),
        ("GET", "/v1/orders?client_ref=mine-only"),
        ("GET", "/v1/orders?client_ref=mine-only&customer=ann"),
        ("POST", f"/v1/orders/{order}/cancel"),
        ("POST", f"/v1/orders/{order}/refunds"),
    ]:
        body = {"amount": 1} if path.endswith("refunds") else {}
        reply = (
            stack.get(path, "bob") if method == "GET" else stack.post(path, body, "bob-tries", customer="bob")
        )
        assert (reply.status, reply.code) == (404, "not_found"), path


# Keys


def test_equal_keys_of_two_callers_never_meet(stack):
    ann = stack.post("/v1/orders", _cart("shared"), "the-same-key", "ann")
    bob = stack.post("/v1/orders", _cart("other", qty=2), "the-same-key", "bob")
    assert (ann.status, bob.status) == (201, 201)
    assert ann.body["id"] != bob.body["id"] and not bob.replayed


def test_a_key_means_something_only_on_its_path(stack):
    first, second = stack.create("path-1"), stack.create("path-2")
    assert stack.cancel(first, "one-key").status == stack.cancel(second, "one-key").status == 200


def test_spaces_and_the_order_of_keys_in_a_body_do_not_matter(stack):
    cart = _cart("canonical", expected_total=435)
    text = json.dumps(dict(reversed(cart.items())), indent=2).replace(": 435", ": 435.0").encode()
    first, second = stack.post("/v1/orders", cart, "canonical"), stack.post("/v1/orders", text, "canonical")
    assert (second.replayed, second.text) == (True, first.text)


def test_what_was_not_executed_is_not_kept(stack):
    broken = stack.post("/v1/orders", _cart("later", qty=0), "later-1")
    assert (broken.status, broken.code) == (400, "invalid")
    assert stack.post("/v1/orders", _cart("later"), "later-1").status == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "tab\t"])
def test_keys_are_visible_ascii_of_at_most_255(stack, key):
    reply = stack.post("/v1/orders", _cart("bad-key"), key)
    assert reply.status == 400


def test_keys_are_forgotten_at_the_end_of_their_life_and_the_client_ref_is_not(start_stack, await_that):
    with start_stack(env={"KEY_LIFE_S": "2"}) as stack:
        first = stack.post("/v1/orders", _cart("old"), "old-key")
        await_that(lambda: stack.sql("SELECT count(*) FROM idempotency") == [["0"]], "the key is forgotten")
        again = stack.post("/v1/orders", _cart("old"), "old-key")
        assert (again.status, again.replayed, again.body["id"]) == (200, False, first.body["id"])


def test_a_dead_holder_s_work_is_resumed_and_not_restarted(stack, token):
    order = stack.create("resumed")
    paid = stack.pay(order, token, "resumed-pay")
    stack.sql(
        f"""UPDATE idempotency SET state = 'in_progress', status = NULL, body = NULL, lease_until = now()
            WHERE route LIKE '%{order}/pay'"""
    )
    again = stack.pay(order, token, "resumed-pay")
    assert (again.status, again.body["id"], again.replayed) == (200, order, False)
    assert again.body["payment"]["id"] == paid.body["payment"]["id"]
    assert stack.effects(token, "capture") == [435]


# What an order costs


def test_promotions_tax_and_the_version_of_the_rules_stand_in_the_order(stack):
    cart = _cart("priced", "matcha", 2, "EUR", promo_code="TEA15")
    reply = stack.post("/v1/orders", {**cart, "expected_total": 2125}, "priced")
    expected = {"total": 2125, "discount": 375, "tax": 354, "promo_code": "TEA15", "price_rule": 1}
    assert {key: reply.body[key] for key in expected} == expected
    assert stack.get(f"/v1/orders/{reply.body['id']}").text == reply.text


def test_new_rules_price_new_orders_and_leave_old_ones_alone(start_stack):
    with start_stack() as stack:
        old = stack.post("/v1/orders", _cart("before", promo_code="TEA15"), "before")
        stack.sql(
            """INSERT INTO price_rules SELECT 2, now(), '{"TEA15": {"percent": 50, "skus": ["cup"]}}', tax FROM price_rules"""
        )
        stack.sql(
            "INSERT INTO price_rules SELECT 3, now() + interval '1 day', '{}', tax FROM price_rules LIMIT 1"
        )
        new = stack.post("/v1/orders", _cart("after", "cup", promo_code="TEA15"), "after")
        same = stack.post("/v1/orders", _cart("before", promo_code="TEA15"), "before-again")
        assert [(r.status, r.body["total"], r.body["price_rule"]) for r in (old, new, same)] == [
            (201, 370, 1),
            (201, 57, 2),
            (200, 370, 1),
        ]


@pytest.mark.parametrize(
    ("cart", "code"),
    [
        (_cart("no", "nothing"), "not_sold"),
        (_cart("no", "cup", 1, "EUR"), "not_sold"),
        (_cart("no", promo_code="FREE"), "unknown_promo_code"),
        (_cart("no", expected_total=434), "amount_mismatch"),
    ],
)
def test_what_cannot_be_sold_like_that_is_a_422(stack, cart, code):
    reply = stack.post("/v1/orders", cart, f"no-{code}-{cart['currency']}")
    assert (reply.status, reply.code) == (422, code)
    assert stack.get("/v1/orders?client_ref=no").status == 404


@pytest.mark.parametrize(
    ("sku", "currency", "price"),
    [("sencha", "JPY", 1080), ("saffron", "KWD", 11990), ("oolong-cn", "CNY", 6800)],
)
def test_every_currency_is_charged_in_its_own_minor_units(stack, token, sku, currency, price):
    reply = stack.post("/v1/orders", _cart(sku, sku, 1, currency, expected_total=price), f"{sku}-create")
    wish = {"payment_token": f"pm_pd_{token}", "amount": price, "currency": currency}
    assert stack.post(f"/v1/orders/{reply.body['id']}/pay", wish, f"{sku}-pay").status == 200
    assert stack.effects(token, "capture") == [price]


def test_refunds_are_in_steps_of_the_currency(stack, token):
    order = stack.post("/v1/orders", _cart("kwd", "karak", 1, "KWD"), "kwd").body["id"]
    wish = {"payment_token": f"pm_pd_{token}", "amount": 2150, "currency": "KWD"}
    assert stack.post(f"/v1/orders/{order}/pay", wish, "kwd-pay").status == 200
    assert stack.refund(order, 155, "kwd-155").code == "amount_invalid"
    assert stack.refund(order, 150, "kwd-150").status == 200


# Refunds with a name


def test_a_named_refund_is_made_once_whatever_its_keys(stack, token):
    order = stack.create("named")
    stack.pay(order, token, "named-pay")
    wish = {"amount": 100, "refund_ref": "ticket-7"}
    first = stack.post(f"/v1/orders/{order}/refunds", wish, "named-1")
    again = stack.admin(f"/v1/orders/{order}/refunds", wish)
    assert (first.status, again.status) == (200, 200)
    assert first.body["refund"] == again.body["refund"]
    other = stack.post(f"/v1/orders/{order}/refunds", {**wish, "amount": 99}, "named-3")
    assert (other.status, other.code) == (409, "state_conflict")
    assert stack.effects(token, "refund") == [100]


# What never gets out


def test_card_numbers_in_free_text_are_neither_stored_nor_logged_nor_shown(start_stack):
    with start_stack() as stack:
        digits = CARD.replace(" ", "")
        free = {"note": f"card {CARD}", "shipping": {"name": digits}, "email": f"{digits}@example.com"}
        order = stack.post("/v1/orders", _cart("canary", **free), "canary").body["id"]
        stack.pay(order, next(stack.tokens), "canary-pay")
        stack.post(f"/v1/orders/{order}/refunds", {"amount": 10, "reason": f"my {CARD}"}, "canary-refund")
        stack.post(f"/v1/orders/{order}/cancel", {"reason": digits}, "canary-cancel")
        stack.post("/v1/orders", {digits: digits}, "canary-mistake")
        stored = stack.sql("SELECT note, ship_to, email FROM orders")
        assert stored == [
            ["card [card number removed]", "[card number removed]", "[card number removed]@example.com"]
        ]
        dump = stack.pg.run(
            "pg_dump", "-h", "127.0.0.1", "-p", str(stack.pg.port), "-U", "postgres", stack.database
        )
        written = dump + "".join(path.read_text() for path in stack.folder.glob("*.log"))
        assert order in written
        assert not any(number in written for number in (CARD, digits))


def test_a_mistake_is_told_by_its_place_and_never_quoted(stack):
    reply = stack.post("/v1/orders", {**_cart("x"), CARD: CARD, "items": [{"sku": CARD, "qty": 1}]}, "quoted")
    assert reply.status == 400 and "items.0.sku" in reply.text and "4242" not in reply.text


# Errors are JSON, documented, and speak of what may be done


def test_unknown_paths_and_methods_answer_in_json(stack):
    assert stack.get("/v1/nothing").code == "not_found"
    for path in ("/metrics", "/readyz"):
        assert stack.get(path).status == 404
    reply = stack.request("DELETE", "/v1/orders")
    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert {word.strip() for word in reply.headers["Allow"].split(",")} >= {"GET", "POST"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 30_000, b'{"client_ref": "\\ud800"}', b"\xff", b"null", b"[]"]
)
def test_a_body_that_is_none_is_a_400(stack, body):
    reply = stack.post("/v1/orders", body, "no-body")
    assert (reply.status, reply.code) == (400, "invalid")


def test_a_read_tells_its_version_and_where_it_came_from(stack):
    order = stack.create("etag")
    reply = stack.get(f"/v1/orders/{order}?consistency=eventual")
    assert (reply.headers["ETag"], reply.headers["X-Read-Source"]) == ('"2"', "primary")
    assert stack.get(f"/v1/orders/{order}?consistency=sometimes").code == "invalid"


def test_every_service_counts_what_it_does_on_its_own_port(stack, await_that):
    stack.create("counted")
    text = stack.request("GET", "/metrics", port=stack.nodes["orders-1"].port).text
    text += stack.request("GET", "/metrics", port=stack.nodes["orders-2"].port).text
    assert 'http_requests_total{method="POST",route="/v1/orders",status="201"}' in text
    assert 'order_moves_total{cause="' in text and 'idempotency_keys_total{found="fresh"}' in text
    for name in ("payments-1", "worker", "fulfilment"):
        assert "http_requests_total" in stack.request("GET", "/metrics", port=stack.nodes[name].port).text


def _audit(stack):
    return stack.admin("/admin/audit?limit=1000").body["rows"]
