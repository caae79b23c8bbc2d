"""GET: one object or a page of them, newest first, with `expand` one level deep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from paydrill.psp import shapes
from paydrill.psp.form import Fields, Form
from paydrill.psp.ledger import Ledger, Shelf
from paydrill.psp.refusals import bad_parameter, missing
from paydrill.psp.routes import Route
from paydrill.psp.shapes import Wire
from paydrill.psp.state import Charge, Event, Intent, Refund, State

_KIND = {"payment_intents": "payment_intent", "charges": "charge", "refunds": "refund", "events": "event"}
_FILTERS = {
    "payment_intents": ("customer",),
    "charges": ("payment_intent", "customer"),
    "refunds": ("payment_intent", "charge"),
    "events": ("type", "types"),
}
_PAGING = ("limit", "starting_after", "ending_before", "created", "expand")
_MAX_PAGE = 100
_EXPANDABLE = ("latest_charge", "charge", "payment_intent")

Find: TypeAlias = Callable[[str], "State | None"]
Item: TypeAlias = "Intent | Charge | Refund | Event"


@dataclass(frozen=True)
class _Created:
    """Bounds on `created`, unix seconds, both included."""

    least: int = 0
    most: int = 1 << 62


def read(ledger: Ledger, route: Route, path: str, query: Form) -> Wire:
    """The answer's body. Raises Refusal."""
    if route.wanted is not None:
        return _one(ledger, route, query)
    return _page(ledger, route, path, query)


def state_of(ledger: Ledger, wanted: str) -> State | None:
    """An intent or charge, by its id."""
    return ledger.intents.get(wanted) or ledger.charges.get(wanted)


def expand(wire: Wire, paths: Sequence[str], find: Find) -> Wire:
    """`wire` with the named ids replaced by their objects. Raises Refusal."""
    for path in paths:
        if path not in _EXPANDABLE or path not in wire:
            raise bad_parameter(f"This property cannot be expanded ({path}).", "expand")
        state = find(wire[path]) if wire[path] is not None else None
        if state is not None:
            wire = {**wire, path: shapes.wire_of(state)}
    return wire


def check_expand(kind: str, paths: Sequence[str]) -> None:
    """Refuse before execution what `expand` could not do after it."""
    fields = {"payment_intent": ("latest_charge",), "refund": ("charge", "payment_intent")}[kind]
    for path in paths:
        if path not in fields:
            raise bad_parameter(f"This property cannot be expanded ({path}).", "expand")


def _one(ledger: Ledger, route: Route, query: Form) -> Wire:
    assert route.wanted is not None
    # client_secret is what Stripe's browser code sends along.
    fields = Fields(query, ("expand", "client_secret"))
    item = _shelf(ledger, route.collection).get(route.wanted)
    if item is None:
        raise missing(_KIND[route.collection], route.wanted)
    return expand(_wire(ledger, item), fields.names("expand"), lambda wanted: state_of(ledger, wanted))


def _page(ledger: Ledger, route: Route, path: str, query: Form) -> Wire:
    fields = Fields(query, (*_PAGING, *_FILTERS[route.collection]))
    limit = fields.whole("limit")
    limit = 10 if limit is None else limit
    if not 1 <= limit <= _MAX_PAGE:
        message = f"Invalid integer: limit must be from 1 to {_MAX_PAGE}, got {limit}"
        raise bad_parameter(message, "limit", "parameter_invalid_integer")
    paths = [_below_data(name) for name in fields.names("expand")]
    found, backwards = _candidates(ledger, route, fields, _created(query))
    items = list(islice(found, limit + 1))
    page, has_more = items[:limit], len(items) > limit
    if backwards:
        page.reverse()
    wires = [expand(_wire(ledger, item), paths, lambda wanted: state_of(ledger, wanted)) for item in page]
    return shapes.listing(path, wires, has_more)


def _candidates(
    ledger: Ledger, route: Route, fields: Fields, created: _Created
) -> tuple[Iterator[Item], bool]:
    """What fits, in the order of reading; True when that is oldest first."""
    shelf = _shelf(ledger, route.collection)
    after, before = fields.text("starting_after"), fields.text("ending_before")
    if after is not None and before is not None:
        raise bad_parameter(
            "You may only specify one of these parameters: ending_before, starting_after.", None
        )
    cursor = after or before
    place = shelf.get(cursor) if cursor else None
    if cursor and place is None:
        raise missing(_KIND[route.collection], cursor, "starting_after" if after else "ending_before")
    items: Iterable[Any]
    if before is not None and place is not None:
        items = shelf.oldest_first(place.seq)
    else:
        items = shelf.newest_first(created.least, place.seq if place else None)
    fits = _filter(fields, route.collection)
    chosen = (item for item in items if created.least <= item.created <= created.most and fits(item))
    return chosen, before is not None


def _filter(fields: Fields, collection: str) -> Callable[[Any], bool]:
    if collection == "events":
        single, several = fields.text("type"), fields.names("types")
        wanted = (single,) if single else several
        return lambda event: not wanted or event.type in wanted
    intent = fields.text("payment_intent") if "payment_intent" in _FILTERS[collection] else None
    charge = fields.text("charge") if "charge" in _FILTERS[collection] else None
    customer = fields.text("customer") if "customer" in _FILTERS[collection] else None
    return lambda item: (
        (intent is None or item.intent == intent)
        and (charge is None or item.charge == charge)
        and (customer is None or item.echoed.get("customer") == customer)
    )


def _created(query: Form) -> _Created:
    value = query.get("created")
    if value is None:
        return _Created()
    if not isinstance(value, dict):
        exactly = Fields({"created": value}, ("created",)).whole("created")
        return _Created() if exactly is None else _Created(exactly, exactly)
    bounds = Fields(value, ("gt", "gte", "lt", "lte"))
    gt, gte, lt, lte = (bounds.whole(name) for name in ("gt", "gte", "lt", "lte"))
    least = max(0 if gte is None else gte, 0 if gt is None else gt + 1)
    most = min(1 << 62 if lte is None else lte, 1 << 62 if lt is None else lt - 1)
    return _Created(least, most)


def _below_data(path: str) -> str:
    if not path.startswith("data."):
        raise bad_parameter(
            f"This property cannot be expanded ({path}). Lists are expanded below data.", "expand"
        )
    return path.removeprefix("data.")


def _shelf(ledger: Ledger, collection: str) -> Shelf[Any]:
    shelves: dict[str, Shelf[Any]] = {
        "payment_intents": ledger.intents,
        "charges": ledger.charges,
        "refunds": ledger.refunds,
        "events": ledger.events,
    }
    return shelves[collection]


def _wire(ledger: Ledger, item: Item) -> Wire:
    if isinstance(item, Event):
        return shapes.event(item, pending_webhooks=ledger.untold.get(item.id, 0))
    return shapes.wire_of(item)
