"""The shop's API. A request says who it is by `X-Request-Id`: sent again, it means the same purchase or payment."""

from __future__ import annotations

from typing import Any

from flask import Flask, Request, Response, jsonify, request

from shop import catalogue
from shop.psp import Psp
from shop.refusals import Refused
from shop.store import Purchase, Store

STATUS_OF_PAYMENT = {"paid": 200, "asked": 202, "refused": 402}
LONGEST = 120


def make_app(store: Store, psp: Psp) -> Flask:
    app = Flask("shop", static_folder=None)

    @app.get("/health")
    def health() -> Response:
        store.unsettled(0)
        return jsonify(fine=True)

    @app.post("/cart/checkout")
    def check_out() -> tuple[Response, int]:
        body = _body(request)
        purchase, is_new = store.check_out(
            basket=_text(body, "basket"),
            request_id=_request_id(request),
            articles=_articles(body),
            cents=catalogue.as_cents(body.get("total")),
        )
        return _shown(purchase), 201 if is_new else 200

    @app.put("/purchases/<number>/payment")
    def pay(number: str) -> tuple[Response, int]:
        body = _body(request)
        payment = store.begin_payment(
            number, _request_id(request), _text(body, "card"), catalogue.as_cents(body.get("total"))
        )
        if payment.state == "asked":
            payment = store.note(payment, psp.charge(payment))
        return _shown(store.purchase(number)), STATUS_OF_PAYMENT[payment.state]

    @app.get("/purchases/<number>")
    def show(number: str) -> Response:
        return _shown(store.purchase(number))

    @app.get("/purchases")
    def find() -> Response:
        return _shown(store.purchase_of_basket(request.args.get("basket", "")))

    @app.errorhandler(Refused)
    def refused(problem: Refused) -> tuple[Response, int]:
        return jsonify(problem={"word": problem.word, "text": problem.text}), problem.status

    return app


def _shown(purchase: Purchase) -> Response:
    return jsonify(
        number=purchase.number,
        basket=purchase.basket,
        state=purchase.state,
        total=catalogue.as_text(purchase.cents),
        currency=catalogue.CURRENCY,
        revision=purchase.revision,
    )


def _request_id(asked: Request) -> str:
    given = asked.headers.get("X-Request-Id", "")
    if not 1 <= len(given) <= LONGEST:
        raise Refused(400, "no_request_id", f"expected a header X-Request-Id of 1 to {LONGEST} characters")
    return given


def _body(asked: Request) -> dict[str, Any]:
    body = asked.get_json(silent=True)
    if not isinstance(body, dict):
        raise Refused(400, "no_json", "expected a JSON object")
    return body


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST:
        raise Refused(400, "bad_field", f"{key}: expected a text of 1 to {LONGEST} characters")
    return value


def _articles(body: dict[str, Any]) -> list[tuple[str, int]]:
    """`[{sku, qty}]` as pairs."""
    given = body.get("articles")
    rows = given if isinstance(given, list) else []
    pairs = [
        pair for row in rows if isinstance(row, dict) and (pair := _pair(row.get("sku"), row.get("qty")))
    ]
    if not pairs or len(pairs) != len(rows):
        raise Refused(400, "bad_field", "articles: expected [{sku, qty}, …]")
    return pairs


def _pair(sku: object, qty: object) -> tuple[str, int] | None:
    if isinstance(sku, str) and isinstance(qty, int) and not isinstance(qty, bool):
        return sku, qty
    return None
