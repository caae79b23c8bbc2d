"""The layer in front of everything: maintenance, rate limits, failures, before keys, parameters and locks.

What is turned away here was not looked at: no key is kept, no execution is counted. It draws as well
whose answer will be slow, since that too is of any request.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from paydrill.psp import operations
from paydrill.psp.behaviours import Decision
from paydrill.psp.calls import Ticket
from paydrill.psp.form import Form
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import Refusal, in_maintenance, rate_limited, unavailable
from paydrill.psp.routes import Route
from paydrill.psp.rules import RATE_LIMIT
from paydrill.psp.tally import Tally

_LONGEST_TOKEN = 100


@dataclass
class Bucket:
    """Refills evenly and holds one second's worth. `monotonic_ns` is its clock."""

    monotonic_ns: Callable[[], int]
    _full_at_ns: int = field(default=0, init=False)

    def passes(self, per_s: float) -> bool:
        now, each_ns = self.monotonic_ns(), int(1e9 / per_s)
        full_at = max(self._full_at_ns, now)
        if full_at - now > 1_000_000_000 - each_ns and full_at > now:
            return False
        self._full_at_ns = full_at + each_ns
        return True


@dataclass
class Gate:
    """`monotonic_ns` is the clock of the rate limits."""

    ledger: Ledger
    tally: Tally
    monotonic_ns: Callable[[], int] = time.monotonic_ns
    _bucket: Bucket = field(init=False)
    _buckets: dict[str, Bucket] = field(default_factory=dict, init=False)
    """By the id of a rule with a limit of its own."""

    def __post_init__(self) -> None:
        self._bucket = Bucket(self.monotonic_ns)

    def check(self, ticket: Ticket, route: Route, form: Form) -> None:
        """Raises Refusal."""
        behaviours = self.tally.behaviours
        if behaviours.gates or behaviours.slow or behaviours.limits:
            self._draw(ticket, route, form)
        per_s = behaviours.number("rate_limit_per_s")
        if per_s > 0 and not self._bucket.passes(per_s):
            raise rate_limited()

    def _draw(self, ticket: Ticket, route: Route, form: Form) -> None:
        ticket.pi, ticket.token = self._subject(route, form)
        subject, operation = ticket.token or ticket.pi or route.template, route.action or route.template
        ticket.gate, ticket.gate_of = self.tally.gated(subject, operation) + 1, subject
        behaviours, seen = self.tally.behaviours, self.tally.seen
        ticket.slow = behaviours.slow_answer(subject, operation, ticket.gate, seen)
        ticket.decision = behaviours.gate(subject, operation, ticket.gate, seen) or self._limited(
            subject, operation
        )
        if ticket.decision is not None:
            raise _refusal(ticket.decision)

    def _limited(self, subject: str, operation: str) -> Decision | None:
        """The first rule whose limit is reached."""
        for rule in self.tally.behaviours.limits:
            bucket = self._buckets.setdefault(rule.id, Bucket(self.monotonic_ns))
            if rule.per_s and rule.fits(subject, operation) and not bucket.passes(rule.per_s):
                return Decision(RATE_LIMIT, rule.id, 0.0)
        return None

    def _subject(self, route: Route, form: Form) -> tuple[str | None, str | None]:
        """Whose request it seems to be, before anything of it was checked."""
        named = form.get("payment_method")
        wanted = route.wanted or form.get("payment_intent") or form.get("charge")
        pi, token = operations.subject_of(self.ledger, wanted) if isinstance(wanted, str) else (None, None)
        return pi, named[:_LONGEST_TOKEN] if isinstance(named, str) else token


def _refusal(decision: Decision) -> Refusal:
    match decision.behaviour:
        case "maintenance":
            return in_maintenance(max(1, round(decision.seconds)))
        case "unavailable":
            return unavailable()
        case _:
            return rate_limited()
