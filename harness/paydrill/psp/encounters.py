"""What became of the requests and events that rules have met, folded from the journal's lines.

It says whether a rule that is in force takes effect: not that it was drawn, but that an answer was lost,
money moved late, a webhook was overtaken. Only rules are followed, not shares.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

from paydrill.psp.lines import AnswerLine, BehaveLine, EffectLine, Line, OpenLine, RequestLine, WebhookLine
from paydrill.psp.met import Met, MetEvent, MetRequest
from paydrill.psp.rules import Rule
from paydrill.psp.state import Effect, Event
from paydrill.psp.tally import Tally
from paydrill.psp.tellings import DROPPED, DUPLICATE, GENUINE, Tellings

MOST = 2_000
"""So many requests and events of each rule are kept."""


@dataclass
class _Meetings:
    drawn: int = 0
    requests: dict[int, MetRequest] = field(default_factory=dict)
    events: dict[str, MetEvent] = field(default_factory=dict)


class Encounters:
    """Only `apply` writes; after ledger, tally and tellings have taken the same line in."""

    def __init__(self, tally: Tally, tellings: Tellings) -> None:
        self._tally = tally
        self._tellings = tellings
        self._rules: dict[str, _Meetings] = {}
        self._in_force: tuple[Rule, ...] = ()
        self._by_req: defaultdict[int, list[str]] = defaultdict(list)
        self._by_event: dict[str, tuple[str, ...]] = {}
        self._waiting: set[int] = set()
        """Requests that caused an event and were not answered yet."""
        self._cause: dict[str, int] = {}
        self._sent: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        """By payment: number and time of the first tries of its events."""

    def of(self, rule: str) -> Met:
        """Nothing for a rule that was never in force."""
        met = self._rules.get(rule, _Meetings())
        return Met(met.drawn, tuple(met.requests.values()), tuple(met.events.values()))

    def apply(self, line: Line) -> None:
        match line:
            case BehaveLine() | OpenLine():
                self._follow(self._tally.behaviours.rules)
            case RequestLine() if self._rules:
                self._request(line)
            case EffectLine() if self._rules:
                self._effect(line)
            case AnswerLine() if self._rules:
                self._answer(line)
            case WebhookLine() if self._rules:
                self._webhook(line)
            case _:
                pass

    def _follow(self, rules: tuple[Rule, ...]) -> None:
        """A rule that comes into force begins anew; one that was taken away keeps what it has met."""
        for rule in rules:
            if rule not in self._in_force:
                self._rules[rule.id] = _Meetings()
        self._in_force = rules

    def _request(self, line: RequestLine) -> None:
        for rule, decision in ((line.rule, line.decision), (line.slow, None)):
            met = self._rules.get(rule) if rule is not None else None
            if rule is None or met is None:
                continue
            met.drawn += 1
            if len(met.requests) < MOST:
                operation = line.action or line.op
                met.requests[line.req] = MetRequest(
                    line.req, operation, decision, line.stopped_by, line.t_recv
                )
                self._by_req[line.req].append(rule)

    def _effect(self, line: EffectLine) -> None:
        done = tuple(_told(effect) for effect in line.effects)
        for met in self._of_request(line.req):
            before = met.requests[line.req]
            if line.item is not None:
                after = replace(before, by_itself=(*before.by_itself, *done))
            else:
                after = replace(before, by_request=done, t_effect=line.t)
            met.requests[line.req] = after
        for event in line.events:
            self._event(event, line)

    def _event(self, event: Event, line: EffectLine) -> None:
        rules = tuple(rule for rule in self._tellings.of(event.id).rules if rule in self._rules)
        for rule in rules:
            met = self._rules[rule]
            met.drawn += 1
            if len(met.events) < MOST:
                met.events[event.id] = MetEvent(event.id, event.type, event.seq, line.t)
        if rules:
            self._by_event[event.id] = rules
        if rules and line.item is None:
            self._cause[event.id] = line.req
            self._waiting.add(line.req)

    def _answer(self, line: AnswerLine) -> None:
        self._waiting.discard(line.req)
        for met in self._of_request(line.req):
            met.requests[line.req] = replace(
                met.requests[line.req], status=line.status, delivered=line.delivered, t_answer=line.t
            )

    def _webhook(self, line: WebhookLine) -> None:
        overtaken = any(seq > line.seq and t_sent < line.t_sent for seq, t_sent in self._sent[line.pi])
        if line.variant == GENUINE:
            self._sent[line.pi].append((line.seq, line.t_sent))
        heard = 200 <= line.status < 300
        for rule in self._by_event.get(line.event, ()):
            events = self._rules[rule].events
            before = events.get(line.event)
            if before is None:
                continue
            if line.variant == DROPPED:
                events[line.event] = replace(before, dropped=True)
            elif line.variant == DUPLICATE and line.t_ack is not None:
                events[line.event] = replace(before, copies=before.copies + 1)
            elif line.variant == GENUINE and before.t_sent is None:
                first = heard and self._cause.get(line.event) in self._waiting
                events[line.event] = replace(
                    before, t_sent=line.t_sent, t_ack=line.t_ack, overtaken=overtaken, before_answer=first
                )

    def _of_request(self, req: int) -> list[_Meetings]:
        """Those of its rules' meetings that still have it: a rule that began anew has forgotten it."""
        if req not in self._by_req:
            return []
        found = [self._rules[rule] for rule in self._by_req[req]]
        return [met for met in found if req in met.requests]


def _told(effect: Effect) -> str:
    return effect.kind if effect.status == "done" else f"{effect.kind} {effect.status}"
