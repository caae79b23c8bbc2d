"""The way of one request: admitted or stopped, executed, made durable, answered.

Everything between reading and changing the ledger happens without an await, so that no two requests
can interleave; only holds, slow commits and the disk are waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson

from paydrill.psp import afterwards, key_cancel, operations
from paydrill.psp.admission import Admission
from paydrill.psp.agenda import Agenda
from paydrill.psp.behaviours import Behaviours, Decision
from paydrill.psp.calls import Answer, Call, Ticket
from paydrill.psp.change import Change
from paydrill.psp.flight import Flight
from paydrill.psp.form import decode, fingerprint
from paydrill.psp.holds import AFTER_COMMIT, BEFORE_COMMIT, Holds, Release
from paydrill.psp.how import AS_USUAL
from paydrill.psp.journal import Journal
from paydrill.psp.ledger import Ledger
from paydrill.psp.lines import (
    AnswerLine,
    BehaveLine,
    EffectLine,
    FreezeLine,
    HoldLine,
    LaterLine,
    Line,
    ReleasedLine,
    ResumeLine,
    ScheduledLine,
)
from paydrill.psp.meaning import how_of
from paydrill.psp.memory import Memory
from paydrill.psp.profiles import Result
from paydrill.psp.refusals import Refusal, server_error
from paydrill.psp.rules import COMMIT_THEN_500, COMMIT_THEN_DROP, SLOW_COMMIT, Rule, rule_of
from paydrill.psp.state import Event, KeyRecord
from paydrill.psp.terms import Terms
from paydrill.psp.tokens import harness_number

LONGEST_TELL_S = 3.0
"""How long an answer waits for a webhook that shall come before it: as long as one try may take."""
_SERVER_ERROR = orjson.dumps(server_error().envelope())


@dataclass(frozen=True)
class _Committed:
    n: int
    status: int
    body: bytes
    kinds: tuple[str, ...]
    pi: str | None
    events: tuple[Event, ...]


@dataclass
class Desk:
    """Takes calls, gives answers. One per process; `wall_s` tells unix seconds for `created`."""

    memory: Memory
    journal: Journal
    admission: Admission
    holds: Holds
    tell_webhooks: Callable[[tuple[Event, ...]], Sequence[asyncio.Future[None]]]
    wall_s: Callable[[], float] = time.time
    flight: Flight = field(default_factory=Flight)
    _slow: set[int] = field(default_factory=set)
    _last_effect_n: int = 0
    _thawed: asyncio.Event = field(default_factory=asyncio.Event)
    _resumed: set[asyncio.Task[None]] = field(default_factory=set)
    agenda: Agenda = field(init=False)

    def __post_init__(self) -> None:
        self.agenda = Agenda(
            self.ledger, self._carry_out, self._not_frozen, lambda pi: pi in self.admission.locks
        )

    @property
    def ledger(self) -> Ledger:
        return self.memory.ledger

    def start(self) -> None:
        """After the rebuild: take up the slow commits that a crash left behind."""
        if not self.ledger.frozen:
            self._thawed.set()
        for line in sorted(self.ledger.scheduled.values(), key=lambda one: one.req):
            ticket = self._ticket_of(line)
            self._take(ticket)
            task = asyncio.create_task(self._finish_scheduled(ticket, line))
            self._resumed.add(task)
            task.add_done_callback(self._resumed.discard)
        self.agenda.take_up()

    @property
    def behaviours(self) -> Behaviours:
        return self.admission.behaviours

    @property
    def slow_commits(self) -> int:
        return len(self._slow)

    async def handle(self, call: Call) -> Answer:
        """Never raises a Refusal: it becomes the answer."""
        ticket = Ticket(self.ledger.last_req + 1, call)
        try:
            ready = self.admission.admit(ticket)
        except Refusal as refusal:
            body = orjson.dumps(refusal.envelope())
            ready = Answer(
                ticket.req, refusal.status, body, refusal.stopped_by, retry_after_s=refusal.retry_after_s
            )
        ticket.stopped_by = ready.stopped_by if ready is not None else None
        self.write(ticket.request_line())
        self.flight.enter(ticket.req)
        if ready is None:
            self._take(ticket)
            ready = await self._execute(ticket)
        else:
            # Nothing may be told that is not on the disk: reads, replays and refusals wait as well.
            await self.journal.durable(self._last_effect_n)
        if ticket.slow is not None:
            await asyncio.sleep(ticket.slow.seconds)
        return ready

    def answered(self, answer: Answer, delivered: bool) -> None:
        """The answer was written to the connection, or not; the request is no longer in flight."""
        self.write(AnswerLine(time.monotonic_ns(), answer.req, answer.status, delivered, answer.stopped_by))
        self.flight.leave(answer.req)

    def freeze(self) -> None:
        """No new POST is executed and no slow commit ends until `resume`."""
        self._thawed.clear()
        self.write(FreezeLine(time.monotonic_ns()))

    def resume(self) -> None:
        self.write(ResumeLine(time.monotonic_ns()))
        self._thawed.set()

    def behave(self, asked: Mapping[str, object]) -> None:
        """Other behaviours from now on. Raises UsageError."""
        checked = Behaviours.of(self.behaviours.seed, asked)
        self.write(BehaveLine(time.monotonic_ns(), checked.as_json()))

    def add_rule(self, given: object) -> None:
        """One rule more, after those in force; adding it again changes nothing. Raises UsageError."""
        rule, in_force = rule_of(given), self.behaviours.rules
        if rule not in in_force:
            self._behave_by((*in_force, rule))

    def remove_rule(self, name: str) -> None:
        """Without the rule of that id from now on; one that is not there changes nothing."""
        left = tuple(rule for rule in self.behaviours.rules if rule.id != name)
        if left != self.behaviours.rules:
            self._behave_by(left)

    def _behave_by(self, rules: Iterable[Rule]) -> None:
        """The same shares and settings, and these rules."""
        self.behave({**self.behaviours.settings, "rules": [rule.as_json() for rule in rules]})

    # -- execution -------------------------------------------------------------------------------

    async def _execute(self, ticket: Ticket) -> Answer:
        try:
            if ticket.meets(SLOW_COMMIT):
                await self._commit_later(ticket)
            before = await self._hold(BEFORE_COMMIT, ticket, ())
            if before is not None and before.answer != "answer":
                return _cut(ticket, before, 500, _SERVER_ERROR)
            done = self._commit(ticket)
            await self.journal.durable(done.n)
            await self._tell(done.events)
            ticket.pi = done.pi or ticket.pi
            after = await self._hold(AFTER_COMMIT, ticket, done.kinds)
        finally:
            self._leave(ticket)
        if after is not None and after.answer != "answer":
            return _cut(ticket, after, done.status, done.body)
        return Answer(
            ticket.req,
            done.status,
            done.body,
            original=ticket.req,
            drop=ticket.meets(COMMIT_THEN_DROP),
            tells_key=self.admission.profile.tells_replays,
        )

    def _commit(self, ticket: Ticket) -> _Committed:
        """Execute, write the one line, take it into memory. No await."""
        assert ticket.route is not None and ticket.fingerprint is not None
        call = ticket.call
        if ticket.waited or ticket.request is None:
            ticket.request = self.admission.parse(ticket.route, decode(call.text))
        change = self._change(ticket.req, call.idem_key, call.base_url)
        status, body = self._run(change, ticket)
        # orjson's results keep kilobytes when stored: copy what is kept.
        done = Result(status, bytes(bytearray(body)))
        told = Result(500, _SERVER_ERROR) if ticket.meets(COMMIT_THEN_500) else done
        record = self._record(change, ticket, self.admission.profile.keeps(done, told))
        line = EffectLine(
            time.monotonic_ns(),
            ticket.req,
            tuple(change.effects),
            change.objects(),
            record,
            tuple(change.events),
        )
        self._write_effect(change, line)
        kinds = tuple(effect.kind for effect in line.effects)
        pi = line.objects.intents[0].id if line.objects.intents else None
        return _Committed(self._last_effect_n, told.status, told.body, kinds, pi, line.events)

    def _run(self, change: Change, ticket: Ticket) -> tuple[int, bytes]:
        assert ticket.request is not None
        if isinstance(ticket.request, key_cancel.CancelByKey):
            return key_cancel.run(change, ticket.request)
        if ticket.decision is None:
            return operations.run(change, ticket.request, AS_USUAL)
        how = how_of(ticket.decision, self.behaviours.number("partial_capture_part"))
        return operations.run(change, ticket.request, how)

    def _record(self, change: Change, ticket: Ticket, kept: Result | None) -> KeyRecord | None:
        """What a key answers from now on."""
        if isinstance(ticket.request, key_cancel.CancelByKey):
            cancelled = kept is not None and kept.success
            return key_cancel.record(change, ticket.request, ticket.req) if cancelled else None
        key = ticket.call.idem_key
        if key is None or kept is None:
            return None
        assert ticket.fingerprint is not None
        body = kept.body.decode()
        return KeyRecord(key, ticket.call.path, ticket.fingerprint, kept.status, body, ticket.req)

    def _change(self, req: int | None, idem_key: str | None, base_url: str) -> Change:
        terms = Terms.of(self.behaviours.number)
        created = int(self.wall_s())
        return Change(self.ledger, self.behaviours.seed, created, req, idem_key, terms, base_url)

    def _write_effect(self, change: Change, line: EffectLine) -> None:
        """What is to come later goes directly before the line that causes it."""
        scheduled = change.later_lines(line.t, line.req)
        for later in scheduled:
            self.write(later)
        self._last_effect_n = self.write(line)
        self.agenda.add(scheduled)

    async def _carry_out(self, item: LaterLine) -> None:
        """Do by itself what was scheduled. One request in flight more, under a number that none has."""
        self.flight.enter(-item.item)
        try:
            change = self._change(None, None, "")
            afterwards.carry_out(change, item)
            line = EffectLine(
                time.monotonic_ns(),
                item.req,
                tuple(change.effects),
                change.objects(),
                None,
                tuple(change.events),
                item.item,
            )
            self._write_effect(change, line)
            await self.journal.durable(self._last_effect_n)
            self.tell_webhooks(line.events)
        finally:
            self.flight.leave(-item.item)

    # -- waiting ---------------------------------------------------------------------------------

    async def _commit_later(self, ticket: Ticket) -> None:
        call, decision = ticket.call, ticket.decision
        assert decision is not None
        due = time.monotonic_ns() + int(decision.seconds * 1e9)
        line = ScheduledLine(
            time.monotonic_ns(),
            ticket.req,
            due,
            call.method,
            call.path,
            call.text,
            call.idem_key,
            decision.behaviour,
            ticket.pi,
        )
        await self.journal.durable(self.write(line))
        await self._sleep(ticket, due)

    async def _tell(self, events: tuple[Event, ...]) -> None:
        """Some events are told before the call that caused them is answered, one try each."""
        first = self.tell_webhooks(events)
        if first:
            await asyncio.wait(first, timeout=LONGEST_TELL_S)

    async def _sleep(self, ticket: Ticket, due: int) -> None:
        ticket.waited = True
        self._slow.add(ticket.req)
        try:
            with self._aside(ticket):
                # Timers of the loop are rounded to milliseconds and may fire early.
                while (left_ns := due - time.monotonic_ns()) > 0:
                    await asyncio.sleep(left_ns / 1e9)
                await self._not_frozen()
        finally:
            self._slow.discard(ticket.req)

    async def _hold(self, point: str, ticket: Ticket, kinds: tuple[str, ...]) -> Release | None:
        if not ticket.holdable or ticket.action is None:
            return None
        number = harness_number(ticket.token)
        hold = self.holds.hit(point, ticket.action, number, ticket.pi, kinds)
        if hold is None:
            return None
        ticket.waited = True
        held_at = time.monotonic_ns()
        n = self.write(HoldLine(held_at, hold.number, ticket.req, point, ticket.action, number, ticket.pi))
        hold.tell(
            {"event": "held", "hold": hold.number, "req": ticket.req, "point": point, "action": ticket.action,
             "token": number, "pi": ticket.pi, "n": n, "t": held_at}
        )  # fmt: skip
        try:
            with self._aside(ticket):
                release = await hold.wait()
                if point == BEFORE_COMMIT:
                    await self._not_frozen()
        finally:
            self.holds.done(hold)
        now = time.monotonic_ns()
        self.write(
            ReleasedLine(
                now, hold.number, ticket.req, release.answer, release.why, now - held_at, ticket.call.gone()
            )
        )
        return release

    async def _not_frozen(self) -> None:
        while self.ledger.frozen:
            await self._thawed.wait()

    @contextmanager
    def _aside(self, ticket: Ticket) -> Iterator[None]:
        """While waiting it is not in flight, but its object is locked."""
        held = ticket.pi if ticket.pi is not None and ticket.pi not in self.admission.locks else None
        if held is not None:
            self.admission.locks.add(held)
        self.flight.leave(ticket.req)
        try:
            yield
        finally:
            self.flight.enter(ticket.req)
            if held is not None:
                self.admission.locks.discard(held)

    # -- bookkeeping -----------------------------------------------------------------------------

    def _take(self, ticket: Ticket) -> None:
        if ticket.call.idem_key is not None:
            self.admission.busy_keys[ticket.call.idem_key] = ticket

    def _leave(self, ticket: Ticket) -> None:
        if ticket.call.idem_key is not None:
            self.admission.busy_keys.pop(ticket.call.idem_key, None)

    def write(self, line: Line) -> int:
        """Into the file and into memory, in that order."""
        n = self.journal.write(line)
        self.memory.apply(line)
        return n

    def _ticket_of(self, line: ScheduledLine) -> Ticket:
        call = Call(line.method, line.path, line.form, line.idem_key, line.t, gone=lambda: True)
        route = self.admission.route(line.method, line.path)
        assert route is not None
        form = decode(line.form)
        ticket = Ticket(
            line.req,
            call,
            route,
            fingerprint=fingerprint(form),
            decision=Decision(line.decision, line.decision, 0.0) if line.decision else None,
            waited=True,
        )
        ticket.request = operations.parse(self.ledger, route, form)
        ticket.pi, ticket.token = operations.subject(self.ledger, ticket.request)
        ticket.money = True
        return ticket

    async def _finish_scheduled(self, ticket: Ticket, line: ScheduledLine) -> None:
        """A slow commit whose caller is gone with the process before."""
        # After a reboot the monotonic clock begins anew: never wait longer than was asked for.
        latest = time.monotonic_ns() + max(0, line.due - line.t)
        try:
            await self._sleep(ticket, min(line.due, latest))
            done = self._commit(ticket)
            await self.journal.durable(done.n)
            await self._tell(done.events)
        finally:
            self._leave(ticket)
        self.answered(Answer(ticket.req, done.status, done.body), delivered=False)


def _cut(ticket: Ticket, release: Release, status: int, body: bytes) -> Answer:
    """What was held is not answered with its result: dropped, or a 500 by a front that knows nothing."""
    if release.answer == "drop":
        return Answer(ticket.req, status, body, drop=True)
    return Answer(ticket.req, 500, _SERVER_ERROR)
