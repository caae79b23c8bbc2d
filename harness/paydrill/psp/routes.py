"""The calls that the simulator has: method and path to what they mean (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass

COLLECTIONS = (
    "payment_intents",
    "refunds",
    "charges",
    "events",
    "disputes",
    "customers",
    "payment_methods",
    "webhook_endpoints",
)
SEARCHED = ("payment_intents", "charges")
_ID = r"[^/]+"


@dataclass(frozen=True, slots=True)
class Route:
    """`template` is what the journal calls it; `action` is None for reads. `wanted` is the id in the path."""

    template: str
    collection: str
    wanted: str | None = None
    action: str | None = None
    searches: bool = False


@dataclass(frozen=True, slots=True)
class _Call:
    """One line of the table below: `:id` in the template is the id."""

    method: str
    path: str
    collection: str
    action: str | None = None
    searches: bool = False
    name: str | None = None

    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.path).replace(":id", f"({_ID})"))

    def route(self, wanted: str | None) -> Route:
        return Route(
            self.name or f"{self.method} {self.path}", self.collection, wanted, self.action, self.searches
        )


CALLS = (
    *(_Call("GET", f"/v1/{name}/search", name, searches=True) for name in SEARCHED),
    *(_Call("GET", f"/v1/{name}", name) for name in COLLECTIONS),
    *(_Call("GET", f"/v1/{name}/:id", name) for name in COLLECTIONS),
    _Call("GET", "/v1/balance", "balance"),
    _Call("GET", "/v1/settlements/:id", "settlements"),
    _Call("POST", "/v1/payment_intents", "payment_intents", "create"),
    _Call("POST", "/v1/payment_intents/:id", "payment_intents", "update"),
    _Call("POST", "/v1/payment_intents/:id/confirm", "payment_intents", "confirm"),
    _Call("POST", "/v1/payment_intents/:id/capture", "payment_intents", "capture"),
    _Call("POST", "/v1/payment_intents/:id/cancel", "payment_intents", "cancel"),
    _Call("POST", "/v1/refunds", "refunds", "refund"),
    _Call("POST", "/v1/refunds/:id", "refunds", "update_refund"),
    _Call("POST", "/v1/refunds/:id/cancel", "refunds", "cancel_refund"),
    _Call("POST", "/v1/disputes/:id/close", "disputes", "close_dispute"),
    _Call("POST", "/v1/customers", "customers", "create_customer"),
    _Call("POST", "/v1/customers/:id", "customers", "update_customer"),
    _Call("POST", "/v1/payment_methods", "payment_methods", "create_method"),
    _Call("POST", "/v1/payment_methods/:id/attach", "payment_methods", "attach"),
    _Call("POST", "/v1/payment_methods/:id/detach", "payment_methods", "detach"),
    _Call("POST", "/v1/webhook_endpoints", "webhook_endpoints", "create_endpoint"),
    _Call("POST", "/v1/webhook_endpoints/:id", "webhook_endpoints", "update_endpoint"),
    _Call("DELETE", "/v1/webhook_endpoints/:id", "webhook_endpoints", "delete_endpoint"),
    _Call("POST", "/challenge/:id", "payment_intents", "challenge", name="challenge"),
)
"""All of them; of two that fit, the first one is meant."""

_PLAIN = {(call.method, call.path): call for call in CALLS if ":id" not in call.path}
_BY_ID = [(call, call.pattern()) for call in CALLS if ":id" in call.path]


def match(method: str, path: str) -> Route | None:
    """The route of a request, or None where Stripe (or this simulator) has no such call."""
    plain = _PLAIN.get((method, path))
    if plain is not None:
        return plain.route(None)
    for call, pattern in _BY_ID:
        found = pattern.fullmatch(path) if call.method == method else None
        if found is not None:
            return call.route(found[1])
    return None
