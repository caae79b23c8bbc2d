"""The calls that the simulator has: method and path to what they mean (pure)."""

from __future__ import annotations

from dataclasses import dataclass

COLLECTIONS = ("payment_intents", "refunds", "charges", "events")
_ACTIONS = ("confirm", "capture", "cancel")


@dataclass(frozen=True, slots=True)
class Route:
    """`template` is what the journal calls it; `action` is None for reads."""

    template: str
    collection: str
    wanted: str | None = None
    action: str | None = None


def match(method: str, path: str) -> Route | None:
    """The route of a request, or None where Stripe (or this simulator) has no such call."""
    parts = path.split("/")
    if len(parts) < 3 or parts[:2] != ["", "v1"] or parts[2] not in COLLECTIONS or not all(parts[2:]):
        return None
    collection, rest = parts[2], parts[3:]
    if method == "GET":
        return _read(collection, rest)
    if method == "POST":
        return _write(collection, rest)
    return None


def _read(collection: str, rest: list[str]) -> Route | None:
    match rest:
        case []:
            return Route(f"GET /v1/{collection}", collection)
        case [wanted] if wanted != "search":
            return Route(f"GET /v1/{collection}/:id", collection, wanted)
        case _:
            return None


def _write(collection: str, rest: list[str]) -> Route | None:
    match collection, rest:
        case "payment_intents", []:
            return Route("POST /v1/payment_intents", collection, action="create")
        case "payment_intents", [wanted]:
            return Route("POST /v1/payment_intents/:id", collection, wanted, "update")
        case "payment_intents", [wanted, action] if action in _ACTIONS:
            return Route(f"POST /v1/payment_intents/:id/{action}", collection, wanted, action)
        case "refunds", []:
            return Route("POST /v1/refunds", collection, action="refund")
        case _:
            return None
