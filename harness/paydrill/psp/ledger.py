"""The simulator's memory: an index over the journal, changed by `apply` alone.

Live operations and the rebuild after a crash go through the same `apply`, so that what is answered
from memory is what the file says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import Generic, TypeVar

from paydrill.psp.lines import (
    EffectLine,
    FreezeLine,
    Line,
    ReleasedLine,
    RequestLine,
    ResumeLine,
    ScheduledLine,
)
from paydrill.psp.state import Charge, Event, Intent, KeyRecord, Refund

_S = TypeVar("_S", Intent, Charge, Refund, Event)


class Shelf(Generic[_S]):
    """Objects of one kind: by id, and in order of creation."""

    def __init__(self) -> None:
        self._by_id: dict[str, _S] = {}
        self._order: list[str] = []
        self._created: list[int] = []

    def put(self, item: _S) -> None:
        if item.id not in self._by_id:
            self._order.append(item.id)
            self._created.append(max(item.created, self._created[-1] if self._created else 0))
        self._by_id[item.id] = item

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
        self.scheduled: dict[int, ScheduledLine] = {}
        self.untold: dict[str, int] = {}
        """Events, and how many have still to be told of them; kept by `Tellings`."""
        self.last_req = 0
        self.last_eff = 0
        self.frozen = False

    def apply(self, line: Line) -> None:
        """Take one line in. Must not fail: the line is in the file already."""
        match line:
            case RequestLine():
                self._request(line)
            case EffectLine():
                self._effect(line)
            case ScheduledLine():
                self.scheduled[line.req] = line
            case ReleasedLine() if line.answer != "answer":
                # Held before its commit and cut off there: it will never take place.
                self.scheduled.pop(line.req, None)
            case FreezeLine() | ResumeLine():
                self.frozen = isinstance(line, FreezeLine)
            case _:
                pass

    def _request(self, line: RequestLine) -> None:
        self.last_req = max(self.last_req, line.req)
        if line.nth is not None and line.action and line.payment_method:
            self.executions[line.payment_method, line.action] = line.nth

    def _effect(self, line: EffectLine) -> None:
        self.scheduled.pop(line.req, None)
        for intent in line.objects.intents:
            self.intents.put(intent)
        for charge in line.objects.charges:
            self.charges.put(charge)
            self.charged_tokens.add(charge.token)
        for refund in line.objects.refunds:
            self.refunds.put(refund)
        for effect in line.effects:
            self.last_eff = max(self.last_eff, effect.eff)
        if line.idem is not None:
            self.keys[line.idem.key] = line.idem
        for event in line.events:
            self.events.put(event)
            self.event_counts[event.token or event.pi, event.type] += 1
