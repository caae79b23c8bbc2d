"""Whether a request may run: URL, freeze, idempotency key, parameters, locks, profile (no waiting here)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from paydrill.psp import operations, reads
from paydrill.psp.behaviours import Behaviours
from paydrill.psp.calls import Answer, Ticket
from paydrill.psp.form import Form, decode, fingerprint
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import (
    frozen,
    key_in_use,
    key_reused,
    key_reused_elsewhere,
    key_too_long,
    locked,
    unknown_url,
    used_token,
)
from paydrill.psp.routes import Route, match

STRICT_SINGLE_USE = "strict_single_use"
PROFILES = ("stripe", STRICT_SINGLE_USE)
_MAX_KEY = 255


@dataclass
class Admission:
    """What is being executed now (`busy_keys`, `locks`) and the rules for what may begin."""

    ledger: Ledger
    behaviours: Behaviours
    profile: str
    busy_keys: dict[str, Ticket] = field(default_factory=dict)
    locks: set[str] = field(default_factory=set)

    def admit(self, ticket: Ticket) -> Answer | None:
        """An answer that needs no execution, or None: execute it. Raises Refusal."""
        call = ticket.call
        if call.refused is not None:
            raise call.refused
        route = ticket.route = match(call.method, call.path)
        if route is None:
            raise unknown_url(call.method, call.path)
        form = decode(call.text)
        ticket.fingerprint = fingerprint(form)
        if route.action is None:
            return self._read(ticket, route, form)
        if self.ledger.frozen:
            raise frozen()
        kept = self._kept_answer(ticket, ticket.fingerprint)
        if kept is not None:
            return kept
        ticket.request = operations.parse(self.ledger, route, form)
        ticket.pi, ticket.token = operations.subject(self.ledger, ticket.request)
        if ticket.pi in self.locks:
            raise locked()
        self._decide(ticket)
        return None

    def _read(self, ticket: Ticket, route: Route, form: Form) -> Answer:
        if route.wanted is not None:
            ticket.pi, ticket.token = operations.subject_of(self.ledger, route.wanted)
        index = reads.Index(time.monotonic_ns(), self.behaviours.seconds("lookup_lag_s"))
        body = reads.read(self.ledger, route, ticket.call.path, form, index)
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
            _check_same(key, path, asked, running.call.path, running.fingerprint)
            raise key_in_use(key)
        record = self.ledger.keys.get(key)
        if record is None:
            return None
        _check_same(key, path, asked, record.endpoint, record.fingerprint)
        return Answer(ticket.req, record.status, record.body.encode(), "replay", record.req)

    def _decide(self, ticket: Ticket) -> None:
        """Count the execution and draw its behaviour. Raises Refusal for a token used before."""
        assert ticket.request is not None
        charges = operations.charges_card(ticket.request)
        if charges and self.profile == STRICT_SINGLE_USE and ticket.token in self.ledger.charged_tokens:
            raise used_token()
        ticket.money = operations.moves_money(ticket.request)
        if ticket.money and ticket.token is not None and ticket.action is not None:
            ticket.nth = self.ledger.executions.get((ticket.token, ticket.action), 0) + 1
            ticket.decision = self.behaviours.operation(ticket.token, ticket.action, ticket.nth)


def _check_same(key: str, path: str, asked: str, first_path: str, first: str | None) -> None:
    if path != first_path:
        raise key_reused_elsewhere(key, path, first_path)
    if asked != first:
        raise key_reused(key)
