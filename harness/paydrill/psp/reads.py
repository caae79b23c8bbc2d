"""GET: one object, a page of them newest first, a search, the balance or a settlement file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import orjson

from paydrill.psp import search, settlement, shapes
from paydrill.psp.form import Fields, Form
from paydrill.psp.ledger import Ledger, Shelf
from paydrill.psp.refusals import bad_parameter, missing
from paydrill.psp.routes import Route
from paydrill.psp.shapes import Wire
from paydrill.psp.state import Charge, Customer, Dispute, Endpoint, Event, Intent, Method, Refund, State

JSON = "application/json"
CSV = "text/csv; charset=utf-8"
PAGING = ("limit", "starting_after", "ending_before", "expand")
SEARCH_FIELDS = ("query", "limit", "page", "expand")
_MAX_PAGE = 100
EXPANDABLE: Mapping[str, tuple[str, ...]] = {
    "payment_intent": ("latest_charge", "payment_method", "customer"),
    "charge": ("payment_intent", "customer"),
    "refund": ("charge", "payment_intent"),
    "dispute": ("charge", "payment_intent"),
    "payment_method": ("customer",),
}

Find: TypeAlias = Callable[[str], "State | None"]
Item: TypeAlias = "Intent | Charge | Refund | Event | Dispute | Customer | Method | Endpoint"


@dataclass(frozen=True)
class Body:
    """What a read answers."""

    content: bytes
    type: str = JSON


@dataclass(frozen=True)
class Collection:
    """`kind` as errors name it; `filters`: the parameters of its list besides those of paging."""

    kind: str
    shelf: Callable[[Ledger], Shelf[Any]]
    filters: tuple[str, ...]


COLLECTIONS: Mapping[str, Collection] = {
    "payment_intents": Collection("payment_intent", lambda ledger: ledger.intents, ("created", "customer")),
    "charges": Collection("charge", lambda ledger: ledger.charges, ("created", "payment_intent", "customer")),
    "refunds": Collection("refund", lambda ledger: ledger.refunds, ("created", "payment_intent", "charge")),
    "events": Collection("event", lambda ledger: ledger.events, ("created", "type", "types")),
    "disputes": Collection(
        "dispute", lambda ledger: ledger.disputes, ("created", "payment_intent", "charge")
    ),
    "customers": Collection("customer", lambda ledger: ledger.customers, ("created", "email")),
    "payment_methods": Collection("PaymentMethod", lambda ledger: ledger.methods, ("customer", "type")),
    "webhook_endpoints": Collection("webhook_endpoint", lambda ledger: ledger.endpoints, ()),
}


@dataclass(frozen=True)
class _Created:
    """Bounds on `created`, unix seconds, both included."""

    least: int = 0
    most: int = 1 << 62


@dataclass
class Index:
    """How far what is behind searches and lists has come.

    Searches do not know what is younger than `lag_s`, and neither they nor lists what is younger than
    `behind_s`. `hid`: how much that fitted was left out because of the latter.
    """

    now_ns: int
    lag_s: float = 0.0
    behind_s: float = 0.0
    hid: int = 0

    def finds(self, born_ns: int) -> bool:
        """Whether a search sees it."""
        return self.lists(born_ns) and not self._younger(born_ns, self.lag_s)

    def lists(self, born_ns: int) -> bool:
        """Whether a list sees it."""
        hidden = self._younger(born_ns, self.behind_s)
        self.hid += hidden
        return not hidden

    def _younger(self, born_ns: int, age_s: float) -> bool:
        # After a reboot the monotonic clock begins anew: what seems to come from the future is old.
        return self.now_ns - age_s * 1e9 < born_ns <= self.now_ns


def read(ledger: Ledger, route: Route, path: str, query: Form, index: Index) -> Body:
    """The answer's body. Raises Refusal."""
    if route.collection == "settlements":
        return _settlement(ledger, route, query)
    if route.collection == "balance":
        Fields(query, ("expand",))
        return Body(orjson.dumps(shapes.balance(ledger.account.balance)))
    if route.searches:
        return Body(orjson.dumps(_search(ledger, route, path, query, index)))
    if route.wanted is not None:
        return Body(orjson.dumps(_one(ledger, route, query)))
    return Body(orjson.dumps(_page(ledger, route, path, query, index)))


def expand(wire: Wire, paths: Sequence[str], find: Find) -> Wire:
    """`wire` with the named ids replaced by their objects. Raises Refusal."""
    for path in paths:
        _check(str(wire.get("object")), path)
        state = find(wire[path]) if wire[path] is not None else None
        if state is not None:
            wire = {**wire, path: shapes.wire_of(state)}
    return wire


def check_expand(kind: str, paths: Sequence[str]) -> None:
    """Refuse before execution what `expand` could not do after it."""
    for path in paths:
        _check(kind, path)


def _check(kind: str, path: str) -> None:
    if path not in EXPANDABLE.get(kind, ()):
        raise bad_parameter(f"This property cannot be expanded ({path}).", "expand")


def _one(ledger: Ledger, route: Route, query: Form) -> Wire:
    assert route.wanted is not None
    # client_secret is what Stripe's browser code sends along.
    known = ("expand", "client_secret") if route.collection == "payment_intents" else ("expand",)
    fields = Fields(query, known)
    item = _item(ledger, route.collection, route.wanted)
    if item is None or (isinstance(item, Endpoint) and item.deleted):
        raise missing(COLLECTIONS[route.collection].kind, route.wanted)
    return expand(_wire(ledger, item), fields.names("expand"), ledger.find)


def _item(ledger: Ledger, collection: str, wanted: str) -> Item | None:
    """By its id; the harness's tokens and their customers are there without having been created."""
    if collection == "payment_methods":
        return ledger.method(wanted)
    if collection == "customers":
        return ledger.customer(wanted)
    item: Item | None = COLLECTIONS[collection].shelf(ledger).get(wanted)
    return item


def _page(ledger: Ledger, route: Route, path: str, query: Form, index: Index) -> Wire:
    fields = Fields(query, (*PAGING, *COLLECTIONS[route.collection].filters))
    limit = _limit(fields)
    paths = [_below_data(name) for name in fields.names("expand")]
    found, backwards = _candidates(ledger, route, fields, _created(query))
    if index.behind_s > 0:
        shelf = COLLECTIONS[route.collection].shelf(ledger)
        found = (item for item in found if index.lists(shelf.born_ns(item)))
    items = list(islice(found, limit + 1))
    page, has_more = items[:limit], len(items) > limit
    if backwards:
        page.reverse()
    wires = [expand(_wire(ledger, item), paths, ledger.find) for item in page]
    return shapes.listing(path, wires, has_more)


def _limit(fields: Fields) -> int:
    limit = fields.whole("limit")
    limit = 10 if limit is None else limit
    if not 1 <= limit <= _MAX_PAGE:
        message = f"Invalid integer: limit must be from 1 to {_MAX_PAGE}, got {limit}"
        raise bad_parameter(message, "limit", "parameter_invalid_integer")
    return limit


def _candidates(
    ledger: Ledger, route: Route, fields: Fields, created: _Created
) -> tuple[Iterator[Item], bool]:
    """What fits, in the order of reading; True when that is oldest first."""
    collection = COLLECTIONS[route.collection]
    shelf = collection.shelf(ledger)
    after, before = fields.text("starting_after"), fields.text("ending_before")
    if after is not None and before is not None:
        raise bad_parameter(
            "You may only specify one of these parameters: ending_before, starting_after.", None
        )
    cursor = after or before
    place = shelf.get(cursor) if cursor else None
    if cursor and place is None:
        raise missing(collection.kind, cursor, "starting_after" if after else "ending_before")
    items: Iterable[Any]
    if before is not None and place is not None:
        items = shelf.oldest_first(place.seq)
    else:
        items = shelf.newest_first(created.least, place.seq if place else None)
    fits = _filter(fields, collection.filters)
    chosen = (item for item in items if created.least <= item.created <= created.most and fits(item))
    return chosen, before is not None


def _filter(fields: Fields, filters: Sequence[str]) -> Callable[[Any], bool]:
    if "types" in filters:
        single, several = fields.text("type"), fields.names("types")
        wanted = (single,) if single else several
        return lambda event: not wanted or event.type in wanted
    asked = {name: value for name in filters if name in _OF and (value := fields.text(name)) is not None}
    tests = [(_OF[name], value) for name, value in asked.items()]
    return lambda item: (
        not (isinstance(item, Endpoint) and item.deleted) and all(of(item) == value for of, value in tests)
    )


def _customer(item: Intent | Charge | Method) -> object:
    return item.customer if isinstance(item, Method) else item.echoed.get("customer")


_OF: Mapping[str, Callable[[Any], object]] = {
    "payment_intent": lambda item: item.intent,
    "charge": lambda item: item.charge,
    "customer": _customer,
    "email": lambda item: item.echoed.get("email"),
    "type": lambda item: "card",
}


def _search(ledger: Ledger, route: Route, path: str, query: Form, index: Index) -> Wire:
    fields = Fields(query, SEARCH_FIELDS)
    fits, limit = search.parse(fields.required("query")), _limit(fields)
    page = fields.text("page")
    if page is not None and not (page.isascii() and page.isdecimal() and len(page) <= 12):
        raise bad_parameter(f"Invalid page: {page}; take next_page of the answer before.", "page")
    shelf = COLLECTIONS[route.collection].shelf(ledger)
    known = (item for item in shelf.newest_first(0, int(page) if page else None) if fits(item))
    found = list(islice((item for item in known if index.finds(shelf.born_ns(item))), limit + 1))
    paths = [_below_data(name) for name in fields.names("expand")]
    wires = [expand(_wire(ledger, item), paths, ledger.find) for item in found[:limit]]
    more = len(found) > limit
    return shapes.search_page(path, wires, str(found[limit - 1].seq) if more else None)


def _settlement(ledger: Ledger, route: Route, query: Form) -> Body:
    """One UTC day's movements up to now; an extension of ours in place of Stripe's payout reports."""
    Fields(query, ())
    day = settlement.day_of(route.wanted or "")
    if day is None:
        raise missing("settlement", route.wanted or "")
    return Body(settlement.file_of(ledger.account.of_day(day)), CSV)


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


def _wire(ledger: Ledger, item: Item) -> Wire:
    if isinstance(item, Event):
        return shapes.event(item, pending_webhooks=ledger.untold.get(item.id, 0))
    return shapes.wire_of(item)
