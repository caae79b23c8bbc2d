"""A payment stack in memory that does everything right, for customers to be tried on.

`begin` answers at once, or gives the work that is left to do: a server may let time pass before it
does it, and whoever sends the same key meanwhile finds it in progress. Money is integer minor units.
"""

from __future__ import annotations

import json
from fractions import Fraction
from math import floor
from urllib.parse import parse_qs, urlsplit

PRODUCTS = (
    {"sku": "tea", "unit_price": 435, "currency": "EUR"},
    {"sku": "cup", "unit_price": 1999, "currency": "EUR"},
    {"sku": "pin", "unit_price": 29, "currency": "EUR", "tags": ["odd", "extra"]},
    {"sku": "rice", "unit_price": 647, "currency": "JPY", "tags": ["odd", "extra"]},
    {"sku": "karak", "unit_price": 2150, "currency": "KWD", "tags": ["odd", "extra"]},
    {"sku": "gold", "unit_price": 2999, "currency": "EUR", "tags": ["hot"]},
)
PROMOTIONS = {"ALL15": (15, None), "CUPS7": (7, {"cup"}), "THIRD": (33, None)}
STEPS = {"KWD": 10}
DECLINED = (
    "declined",
    "insufficient_funds",
    "lost_card",
    "expired_card",
    "incorrect_cvc",
    "processing_error",
)
ASYNC_NS = 2_000_000_000
CHALLENGE_NS = 4_000_000_000


def total(items, currency, promo):
    percent, skus = PROMOTIONS.get(promo, (0, set()))
    step, price = STEPS.get(currency, 1), {row["sku"]: row["unit_price"] for row in PRODUCTS}
    cost = 0
    for item in items:
        line = price[item["sku"]] * item["qty"]
        off = Fraction(line * percent, 100) if skus is None or item["sku"] in skus else Fraction(0)
        cost += line - floor(off / step + Fraction(1, 2)) * step
    return cost


class ModelStack:
    """`now_ns` is a clock; `gold` is what there is of the scarce product."""

    def __init__(self, now_ns, gold=10):
        self.now_ns, self.gold = now_ns, gold
        self.orders, self.kept, self.working, self.charges, self.refunds = {}, {}, {}, [], {}
        self.challenges = {}

    def begin(self, method, url, headers, body):
        """(status, body, replayed), or a function that does the work and returns that."""
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        _, caller, *_ = headers.get("Authorization", "Bearer x.nobody").partition("Bearer ")[2].split(".")
        parts = path.strip("/").split("/")
        if parts[0] == "challenge":
            return self._challenge(parts[1], json.loads(body)["outcome"])
        if method == "GET":
            return self._find(query["client_ref"][0]) if "client_ref" in query else self._show(parts[1])
        scope, mark = (caller, path, headers["Idempotency-Key"]), bytes(body)
        if scope in self.kept:
            known, answer = self.kept[scope]
            return (*answer, True) if known == mark else self._no(422, "idempotency_key_reused")
        if scope in self.working:
            if self.working[scope] != mark:
                return self._no(422, "idempotency_key_reused")
            return self._no(409, "idempotency_in_progress")
        self.working[scope] = mark
        return lambda: self._work(scope, mark, parts, caller, json.loads(body))

    def _work(self, scope, mark, parts, caller, wish):
        answer, keep = self._do(parts, caller, wish)
        del self.working[scope]
        if keep:
            self.kept[scope] = (mark, answer)
        return (*answer, False)

    def _do(self, parts, caller, wish):
        """(status, body) and whether it is kept: refusals that executed nothing are not."""
        if len(parts) == 1:
            return self._create(caller, wish)
        order = self.orders.get(parts[1])
        if order is None or (not caller.startswith("support_") and order["customer"] != caller):
            return self._no(404, "not_found")[:2], False
        self._settle(order)
        return {"pay": self._pay, "cancel": self._cancel, "refunds": self._refund}[parts[2]](order, wish)

    def _create(self, caller, wish):
        same = [
            one
            for one in self.orders.values()
            if (one["customer"], one["client_ref"]) == (caller, wish["client_ref"])
        ]
        if same:
            return (200, self._view(same[0])), True
        cost = total(wish["items"], wish["currency"], wish.get("promo_code"))
        if cost != wish["expected_total"]:
            return self._no(422, "amount_mismatch")[:2], True
        gold = sum(item["qty"] for item in wish["items"] if item["sku"] == "gold")
        if gold > self.gold:
            return self._no(409, "insufficient_stock")[:2], True
        self.gold -= gold
        number = f"ord_{len(self.orders) + 1}"
        order = {"id": number, "customer": caller, "client_ref": wish["client_ref"], "status": "created",
                 "total": cost, "currency": wish["currency"], "back": 0, "wish": wish}  # fmt: skip
        self.orders[number] = order
        return (201, self._view(order)), True

    def _pay(self, order, wish):
        if order["status"] not in ("created", "payment_failed"):
            return self._no(409, "state_conflict")[:2], False
        _, _, how = wish["payment_token"].removeprefix("pm_pd_").partition("_")
        order["status"] = "payment_pending"
        if how in DECLINED:
            order["status"] = "payment_failed"
            return (402, {"error": {"code": "card_declined"}}), True
        if how in ("async", "asyncfail"):
            order["settles"] = (
                self.now_ns() + ASYNC_NS,
                "payment_failed" if how == "asyncfail" else "paid",
                wish,
            )
            return (202, self._view(order)), True
        if how == "challenge":
            number = f"pi_{len(self.challenges) + 1}"
            self.challenges[number] = {"order": order, "wish": wish, "outcome": None}
            order["settles"] = (self.now_ns() + CHALLENGE_NS, "payment_failed", wish)
            return (202, {**self._view(order), "next_action": {"challenge": number}}), True
        self._charge(order, wish)
        return (200, self._view(order)), True

    def _charge(self, order, wish):
        order["status"] = "paid"
        self.charges.append((order["id"], wish["payment_token"], wish["amount"]))

    def _cancel(self, order, wish):
        if order["status"] not in ("created", "payment_failed", "cancelled"):
            return self._no(409, "state_conflict")[:2], False
        order["status"] = "cancelled"
        return (200, self._view(order)), True

    def _refund(self, order, wish):
        name = wish.get("refund_ref")
        if name is not None and (order["id"], name) in self.refunds:
            return (200, self._view(order)), True
        if wish["amount"] % STEPS.get(order["currency"], 1):
            return self._no(422, "amount_invalid")[:2], False
        if order["status"] not in ("paid", "refunded") or order["back"] + wish["amount"] > order["total"]:
            return self._no(409, "state_conflict")[:2], False
        order["back"] += wish["amount"]
        self.refunds[order["id"], name or len(self.refunds)] = wish["amount"]
        return (200, self._view(order)), True

    def _challenge(self, number, outcome):
        challenge = self.challenges[number]
        if challenge["outcome"] is None:
            self._settle(challenge["order"])
            challenge["outcome"] = outcome
            challenge["order"].pop("settles", None)
            if outcome == "approve":
                self._charge(challenge["order"], challenge["wish"])
            else:
                challenge["order"]["status"] = "payment_failed"
        return 200, {"status": challenge["outcome"]}, False

    def _settle(self, order):
        due_ns, becomes, wish = order.get("settles", (None, None, None))
        if due_ns is not None and self.now_ns() >= due_ns:
            del order["settles"]
            if becomes == "paid":
                self._charge(order, wish)
            else:
                order["status"] = becomes

    def _show(self, number):
        if number not in self.orders:
            return self._no(404, "not_found")
        self._settle(self.orders[number])
        return 200, self._view(self.orders[number]), False

    def _find(self, client_ref):
        return next(
            (
                (200, self._view(one), False)
                for one in self.orders.values()
                if one["client_ref"] == client_ref
            ),
            self._no(404, "not_found"),
        )

    @staticmethod
    def _view(order):
        return {name: order[name] for name in ("id", "client_ref", "status", "total", "currency")}

    @staticmethod
    def _no(status, code):
        return status, {"error": {"code": code}}, False
