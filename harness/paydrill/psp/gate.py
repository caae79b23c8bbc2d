"""The layer in front of everything: maintenance and rate limits, before keys, parameters and locks.

What is turned away here was not looked at: no key is kept, no execution is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from paydrill.psp import operations
from paydrill.psp.calls import Ticket
from paydrill.psp.form import Form
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import in_maintenance, rate_limited
from paydrill.psp.routes import Route
from paydrill.psp.rules import MAINTENANCE
from paydrill.psp.tally import Tally

_LONGEST_TOKEN = 100


@dataclass
class Gate:
    """`monotonic_ns` is the clock of `rate_limit_per_s`, whose bucket holds one second's worth."""

    ledger: Ledger
    tally: Tally
    monotonic_ns: Callable[[], int] = time.monotonic_ns
    _full_at_ns: int = field(default=0, init=False)

    def check(self, ticket: Ticket, route: Route, form: Form) -> None:
        """Raises Refusal."""
        behaviours = self.tally.behaviours
        if behaviours.gates:
            self._draw(ticket, route, form)
        per_s = behaviours.number("rate_limit_per_s")
        if per_s > 0 and not self._passes(per_s):
            raise rate_limited()

    def _draw(self, ticket: Ticket, route: Route, form: Form) -> None:
        ticket.pi, ticket.token = self._subject(route, form)
        subject, operation = ticket.token or ticket.pi or route.template, route.action or route.template
        ticket.gate, ticket.gate_of = self.tally.gated(subject, operation) + 1, subject
        ticket.decision = self.tally.behaviours.gate(subject, operation, ticket.gate, self.tally.seen)
        if ticket.decision is None:
            return
        if ticket.decision.behaviour == MAINTENANCE:
            raise in_maintenance(max(1, round(ticket.decision.seconds)))
        raise rate_limited()

    def _subject(self, route: Route, form: Form) -> tuple[str | None, str | None]:
        """Whose request it seems to be, before anything of it was checked."""
        named = form.get("payment_method")
        wanted = route.wanted or form.get("payment_intent") or form.get("charge")
        pi, token = operations.subject_of(self.ledger, wanted) if isinstance(wanted, str) else (None, None)
        return pi, named[:_LONGEST_TOKEN] if isinstance(named, str) else token

    def _passes(self, per_s: float) -> bool:
        """A bucket that refills evenly: at most one second's worth at once."""
        now, each_ns = self.monotonic_ns(), int(1e9 / per_s)
        full_at = max(self._full_at_ns, now)
        if full_at - now > 1_000_000_000 - each_ns and full_at > now:
            return False
        self._full_at_ns = full_at + each_ns
        return True
