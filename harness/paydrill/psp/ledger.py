"""The simulator's memory: an index over the journal, changed by `apply` alone.

Live operations and the rebuild after a crash go through the same `apply`, so that what is answered
from memory is what the file says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import Generic, Literal, TypeVar

from paydrill.psp import cards
from paydrill.psp.later import still_to_come
from paydrill.psp.lines import (
    EffectLine,
    FreezeLine,
    LaterLine,
    Line,
    ReleasedLine,
    RequestLine,
    ResumeLine,
    ScheduledLine,
)
from paydrill.psp.settlement import Account, Movement
from paydrill.psp.state import (
    Charge,
    Customer,
    Dispute,
    Effect,
    Endpoint,
    Event,
    Intent,
    KeyRecord,
    Method,
    Other,
    Refund,
    State,
)

_S = TypeVar("_S", Intent, Charge, Refund, Event, Dispute, Customer, Method, Endpoint)


class Shelf(Generic[_S]):
    """Objects of one kind: by id, and in order of creation."""

    def __init__(self) -> None:
        self._by_id: dict[str, _S] = {}
        self._order: list[str] = []
        self._created: list[int] = []
        self._born_ns: list[int] = []

    def put(self, item: _S, t_ns: int = 0) -> None:
        """`t_ns`: monotonic time of the line that tells of it."""
        if item.id not in self._by_id:
            self._order.append(item.id)
            self._created.append(max(item.created, self._created[-1] if self._created else 0))
            self._born_ns.append(t_ns)
        self._by_id[item.id] = item

    def born_ns(self, item: _S) -> int:
        """When it was created, on the monotonic clock."""
        return self._born_ns[item.seq - 1]

    def get(self, wanted: str) -> _S | None:
        return self._by_id.get(wanted)

    def __getitem__(self, wanted: str) -> _S:
        return self._by_id[wanted]

    def __len__(self) -> int:
        return len(self._order)

    def newest_first(self, since: int, before_seq: int | None = None) -> Iterator[_S]:
        """Those created at `since` (unix seconds) or later, and before the one numbered `before_seq`."""
        first = bisect_left(self._created, since)
        last = len(self._order) if before_seq is None else before_seq - 1
        for place in range(last - 1, first - 1, -1):
            yield self._by_id[self._order[place]]

    def oldest_first(self, after_seq: int) -> Iterator[_S]:
        """Those created after the one numbered `after_seq`."""
        for place in range(after_seq, len(self._order)):
            yield self._by_id[self._order[place]]


class Ledger:
    """Everything that the journal says, by what is asked for. Only `apply` writes."""

    def __init__(self) -> None:
        self.intents: Shelf[Intent] = Shelf()
        self.charges: Shelf[Charge] = Shelf()
        self.refunds: Shelf[Refund] = Shelf()
        self.events: Shelf[Event] = Shelf()
        self.keys: dict[str, KeyRecord] = {}
        self.executions: dict[tuple[str, str], int] = {}
        self.event_counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.charged_tokens: set[str] = set()
        self.disputes: Shelf[Dispute] = Shelf()
        self.customers: Shelf[Customer] = Shelf()
        self.methods: Shelf[Method] = Shelf()
        self.endpoints: Shelf[Endpoint] = Shelf()
        self.account = Account()
        self.scheduled: dict[int, ScheduledLine] = {}
        self.agenda: dict[int, LaterLine] = {}
        """What the PSP will still do by itself, by item."""
        self.untold: dict[str, int] = {}
        """Events, and how many have still to be told of them; kept by `Tellings`."""
        self.last_req = 0
        self.last_eff = 0
        self.last_item = 0
        self.frozen = False
        self._announced: list[LaterLine] = []
        self._agenda_of: dict[str, list[int]] = {}
        self._settled_refunds: set[str] = set()

    def apply(self, line: Line) -> None:
        """Take one line in. Must not fail: the line is in the file already."""
        if isinstance(line, LaterLine):
            self._announced.append(line)
            self.last_item = max(self.last_item, line.item)
            return
        announced, self._announced = self._announced, []
        match line:
            case RequestLine():
                self._request(line)
            case EffectLine():
                self._effect(line, announced)
            case ScheduledLine():
                self.scheduled[line.req] = line
            case ReleasedLine() if line.answer != "answer":
                # Held before its commit and cut off there: it will never take place.
                self.scheduled.pop(line.req, None)
            case FreezeLine() | ResumeLine():
                self.frozen = isinstance(line, FreezeLine)
            case _:
                pass

    def find(self, wanted: str) -> State | None:
        """An object by its id, as `expand` looks for it."""
        return (
            self.intents.get(wanted)
            or self.charges.get(wanted)
            or self.method(wanted)
            or self.customer(wanted)
        )

    def method(self, wanted: str) -> Method | None:
        """A PaymentMethod; the harness's tokens are some without having been created."""
        return self.methods.get(wanted) or cards.harness_method(wanted)

    def customer(self, wanted: str) -> Customer | None:
        return self.customers.get(wanted) or cards.harness_customer(wanted)

    def reusable(self, token: str) -> bool:
        """Whether it belongs to a customer, and so may be charged again and again."""
        method = self.method(token)
        return method is not None and method.customer is not None

    def enabled_endpoints(self) -> tuple[Endpoint, ...]:
        """The webhook endpoints that are to be told of anything, oldest first."""
        return tuple(one for one in self.endpoints.oldest_first(0) if one.enabled and not one.deleted)

    def endpoints_for(self, event_type: str) -> tuple[Endpoint, ...]:
        """Those of them that are to be told of such events."""
        return tuple(one for one in self.enabled_endpoints() if one.wants(event_type))

    def _request(self, line: RequestLine) -> None:
        self.last_req = max(self.last_req, line.req)
        if line.nth is not None and line.action and line.payment_method:
            self.executions[line.payment_method, line.action] = line.nth

    def _effect(self, line: EffectLine, announced: list[LaterLine]) -> None:
        if line.item is None:
            self.scheduled.pop(line.req, None)
        else:
            self.agenda.pop(line.item, None)
        for intent in line.objects.intents:
            self.intents.put(intent, line.t)
        for other in line.objects.others:
            self._other(other)
        for charge in line.objects.charges:
            self.charges.put(charge, line.t)
            if not self.reusable(charge.token):
                self.charged_tokens.add(charge.token)
        for refund in line.objects.refunds:
            self.refunds.put(refund)
        for effect in line.effects:
            self.last_eff = max(self.last_eff, effect.eff)
            self._move(effect)
        if line.idem is not None:
            self.keys[line.idem.key] = line.idem
        for event in line.events:
            self.events.put(event)
            self.event_counts[event.token or event.pi, event.type] += 1
        for later in announced:
            self.agenda[later.item] = later
            self._agenda_of.setdefault(later.pi, []).append(later.item)
        for pi in {intent.id for intent in line.objects.intents} | {
            charge.intent for charge in line.objects.charges
        }:
            self._forget_what_is_done(pi)

    def _other(self, other: Other) -> None:
        match other:
            case Dispute():
                self.disputes.put(other)
            case Customer():
                self.customers.put(other)
            case Method():
                self.methods.put(other)
            case Endpoint():
                self.endpoints.put(other)

    def _move(self, effect: Effect) -> None:
        """Post what changes the merchant's balance."""
        if effect.of is None:
            return
        if effect.kind == "capture" and effect.status == "done":
            self._post("charge", effect, effect.of, effect.amount)
        elif effect.kind == "chargeback" and effect.status == "done":
            self._post("dispute", effect, self.disputes[effect.of].charge, -effect.amount)
        elif effect.kind == "refund" and effect.status == "done":
            self._settled_refunds.add(effect.of)
            self._post("refund", effect, self.refunds[effect.of].charge, -effect.amount)
        elif effect.kind == "refund" and effect.status == "failed" and effect.of in self._settled_refunds:
            self._post("refund", effect, self.refunds[effect.of].charge, effect.amount)

    def _post(
        self, type_: Literal["charge", "refund", "dispute"], effect: Effect, charge: str, amount: int
    ) -> None:
        assert effect.of is not None
        self.account.take(
            Movement(
                type_,
                effect.of,
                effect.pi,
                charge,
                amount,
                effect.currency.lower(),
                effect.fee,
                effect.created,
            )
        )

    def _forget_what_is_done(self, pi: str) -> None:
        """Take off the agenda what has nothing to do any more: a captured hold does not expire."""
        items = self._agenda_of.get(pi)
        if items is None:
            return
        left = [item for item in items if item in self.agenda and self._still(self.agenda[item])]
        for item in set(items).difference(left):
            self.agenda.pop(item, None)
        if left:
            self._agenda_of[pi] = left
        else:
            del self._agenda_of[pi]

    def _still(self, later: LaterLine) -> bool:
        refund = self.refunds.get(later.of)
        charge = self.charges[refund.charge if refund else later.of]
        return still_to_come(later.what, self.intents[charge.intent], charge, refund)
