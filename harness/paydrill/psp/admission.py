"""Whether a request may run: URL, gate, freeze, idempotency key, parameters, locks, profile (no waiting here)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from paydrill.psp import key_cancel, operations, reads, shapes
from paydrill.psp.behaviours import Behaviours
from paydrill.psp.calls import Answer, Ticket
from paydrill.psp.form import Form, decode, fingerprint
from paydrill.psp.gate import Gate
from paydrill.psp.key_cancel import CancelByKey
from paydrill.psp.ledger import Ledger
from paydrill.psp.memory import Memory
from paydrill.psp.profiles import Profile
from paydrill.psp.refusals import (
    duplicate_charge,
    frozen,
    key_in_use,
    key_reused,
    key_reused_elsewhere,
    key_too_long,
    locked,
    unknown_url,
    used_token,
)
from paydrill.psp.requests import ConfirmIntent, CreateIntent, Post
from paydrill.psp.routes import Route, match
from paydrill.psp.rules import DROP_BEFORE_COMMIT
from paydrill.psp.state import KeyRecord
from paydrill.psp.tally import order

_MAX_KEY = 255


@dataclass
class Admission:
    """What is being executed now (`busy_keys`, `locks`) and the rules for what may begin."""

    memory: Memory
    profile: Profile
    monotonic_ns: Callable[[], int] = time.monotonic_ns
    busy_keys: dict[str, Ticket] = field(default_factory=dict)
    locks: set[str] = field(default_factory=set)
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self.memory.ledger, self.memory.tally, self.monotonic_ns)

    @property
    def ledger(self) -> Ledger:
        return self.memory.ledger

    @property
    def behaviours(self) -> Behaviours:
        return self.memory.tally.behaviours

    def admit(self, ticket: Ticket) -> Answer | None:
        """An answer that needs no execution, or None: execute it. Raises Refusal."""
        call = ticket.call
        if call.refused is not None:
            raise call.refused
        route = ticket.route = self.route(call.method, call.path)
        if route is None:
            raise unknown_url(call.method, call.path)
        form = decode(call.text)
        ticket.fingerprint = fingerprint(form)
        self.gate.check(ticket, route, form)
        if route.action is None:
            return self._read(ticket, route, form)
        if self.ledger.frozen:
            raise frozen()
        if route is key_cancel.ROUTE:
            self._cancel_by_key(ticket, form)
            return None
        kept = self._kept_answer(ticket, ticket.fingerprint)
        if kept is not None:
            return kept
        ticket.request = operations.parse(self.ledger, route, form)
        ticket.pi, ticket.token = operations.subject(self.ledger, ticket.request)
        if ticket.pi in self.locks:
            raise locked()
        return self._decide(ticket)

    def route(self, method: str, path: str) -> Route | None:
        """Stripe's calls, and what only this profile has."""
        if self.profile.cancel_by_key and (method, path) == ("POST", key_cancel.PATH):
            return key_cancel.ROUTE
        return match(method, path)

    def parse(self, route: Route, form: Form) -> Post | CancelByKey:
        """The typed request. Raises Refusal for all that can be refused before execution."""
        if route is key_cancel.ROUTE:
            return key_cancel.parse(self.ledger, form)
        return operations.parse(self.ledger, route, form)

    def _read(self, ticket: Ticket, route: Route, form: Form) -> Answer:
        if route.wanted is not None:
            ticket.pi, ticket.token = operations.subject_of(self.ledger, route.wanted)
        lag = self.behaviours.lookup_lag()
        index = reads.Index(
            self.monotonic_ns(), self.behaviours.number("lookup_lag_s"), lag.seconds if lag else 0.0
        )
        body = reads.read(self.ledger, route, ticket.call.path, form, index)
        if index.hid:
            ticket.decision = lag
        return Answer(ticket.req, 200, body.content, content_type=body.type)

    def _kept_answer(self, ticket: Ticket, asked: str) -> Answer | None:
        """What the key was answered before. Raises Refusal when it is in use, or was for something else."""
        key, path = ticket.call.idem_key, ticket.call.path
        if key is None:
            return None
        if len(key) > _MAX_KEY:
            raise key_too_long(len(key))
        running = self.busy_keys.get(key)
        if running is not None:
            self._check_same(key, path, asked, running.call.path, running.fingerprint)
            raise key_in_use(key)
        record = self.ledger.keys.get(key)
        if record is None or self._pruned(key):
            return None
        if record.fingerprint == key_cancel.CANCELLED:
            return Answer(ticket.req, record.status, record.body.encode(), "key_cancelled", record.req)
        self._check_same(key, path, asked, record.endpoint, record.fingerprint)
        return Answer(
            ticket.req,
            record.status,
            self._replay(record),
            "replay",
            record.req,
            tells_key=self.profile.tells_replays,
        )

    def _pruned(self, key: str) -> bool:
        """Whether the key is older than it is kept."""
        ttl_s = self.behaviours.settings.get("idem_ttl_s", self.profile.window_s)
        return ttl_s is not None and self.monotonic_ns() - self.memory.tally.kept_at[key] > ttl_s * 1e9

    def _replay(self, record: KeyRecord) -> bytes:
        """The first answer, or the object as it is now where a profile replays that."""
        if self.profile.replays_now and record.status < 300:
            made = str(orjson.loads(record.body).get("id"))
            state = self.ledger.intents.get(made) or self.ledger.refunds.get(made)
            if state is not None:
                return orjson.dumps(shapes.wire_of(state))
        return record.body.encode()

    def _check_same(self, key: str, path: str, asked: str, first_path: str, first: str | None) -> None:
        if not self.profile.compares:
            return
        if path != first_path:
            raise key_reused_elsewhere(key, path, first_path)
        if asked != first:
            raise key_reused(key)

    def _decide(self, ticket: Ticket) -> Answer | None:
        """Count the execution and draw its behaviour; the answer is for a request that gets lost here.

        Raises Refusal for what the profile does not execute.
        """
        request = ticket.request
        assert request is not None and not isinstance(request, CancelByKey)
        if operations.charges_card(request):
            self._check_charge(ticket)
        ticket.money = operations.moves_money(request)
        if ticket.token is None or ticket.action is None or not (ticket.money or ticket.action == "cancel"):
            return None
        ticket.nth = self.ledger.executions.get((ticket.token, ticket.action), 0) + 1
        ticket.decision = self.behaviours.execution(
            ticket.token, ticket.action, ticket.nth, self.memory.tally.seen
        )
        if ticket.meets(DROP_BEFORE_COMMIT):
            return Answer(ticket.req, 0, b"", "drop", drop=True)
        return None

    def _check_charge(self, ticket: Ticket) -> None:
        """Raises Refusal for a token used before, or an order charged just now."""
        if self.profile.single_use and ticket.token in self.ledger.charged_tokens:
            raise used_token()
        if not self.profile.duplicates_s or ticket.token is None:
            return
        match ticket.request:
            case CreateIntent() as request:
                wanted = order(request.metadata, request.currency, request.amount, ticket.token)
            case ConfirmIntent(intent=intent):
                wanted = order(intent.metadata, intent.currency, intent.amount, ticket.token)
            case _:
                return
        charged_at = self.memory.tally.charged_at.get(wanted)
        if charged_at is not None and self.monotonic_ns() - charged_at <= self.profile.duplicates_s * 1e9:
            raise duplicate_charge()

    def _cancel_by_key(self, ticket: Ticket, form: Form) -> None:
        """Raises Refusal while a request of that key is being executed, or its object is locked."""
        request = key_cancel.parse(self.ledger, form)
        if request.key in self.busy_keys:
            raise key_in_use(request.key)
        if request.intent is not None:
            ticket.pi, ticket.token = operations.subject_of(self.ledger, request.intent.id)
            if ticket.pi in self.locks:
                raise locked()
        ticket.request, ticket.money = request, True
