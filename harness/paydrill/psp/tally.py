"""What rules and profiles must remember besides the ledger, folded from the same lines.

How far counting rules have come, how often the gate looked at a token, when a key was kept, when an
order was charged. Live and after a crash it comes out of `apply`, so a restart changes no decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from paydrill.psp.behaviours import Behaviours, seed_of
from paydrill.psp.lines import BehaveLine, EffectLine, Line, OpenLine, RequestLine
from paydrill.psp.rules import GATES, WEBHOOKS, Rule
from paydrill.psp.state import Charge

Order = tuple[str, str, int, str]
"""An order's own id, currency, amount and token: what makes two charges the same one."""

TALLIED = frozenset({RequestLine, EffectLine, OpenLine, BehaveLine})
"""The lines that a tally has a use for."""
_ORDER_NAMES = ("order_id", "order")


class Tally:
    """`behaviours` are those in force by the last line that said so."""

    def __init__(self, remembers_orders: bool = False) -> None:
        self.behaviours = Behaviours.of(0, {})
        self.seed: int | None = None
        self.name: str | None = None
        self.kept_at: dict[str, int] = {}
        """By idempotency key, monotonic ns."""
        self.charged_at: dict[Order, int] = {}
        """The last approved charge, monotonic ns; only while a profile asks."""
        self._remembers_orders = remembers_orders
        self._gated: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._seen: defaultdict[str, int] = defaultdict(int)
        self._counting: tuple[Rule, ...] = ()

    def apply(self, line: Line) -> None:
        match line:
            case RequestLine():
                self._request(line)
            case EffectLine():
                self._effect(line)
            case OpenLine():
                self.seed, self.name = line.seed, line.name
                self._in_force(line.behaviour)
            case BehaveLine():
                self._in_force(line.behaviour)
            case _:
                pass

    def seen(self, rule: Rule) -> int:
        """How many have fitted a counting rule; by its id, whatever else was in force meanwhile."""
        return self._seen[rule.id]

    def gated(self, subject: str, operation: str) -> int:
        """How often the gate has looked at this operation of this subject."""
        return self._gated[subject, operation]

    def event_told_about(self, subject: str) -> None:
        """One more event of a token (or intent), for the webhook rules that count."""
        for rule in self._counting:
            if rule.behaviour in WEBHOOKS and rule.fits(subject, None):
                self._seen[rule.id] += 1

    def _in_force(self, asked: Mapping[str, object]) -> None:
        assert self.seed is not None and self.name is not None
        self.behaviours = Behaviours.of(seed_of(self.seed, self.name), asked)
        self._counting = tuple(rule for rule in self.behaviours.rules if rule.counts)

    def _request(self, line: RequestLine) -> None:
        if line.gate is not None and line.gate_of is not None:
            self._gated[line.gate_of, line.action or line.op] = line.gate
        if not self._counting:
            return
        for rule in self._counting:
            if self._counts(rule, line):
                self._seen[rule.id] += 1

    def _counts(self, rule: Rule, line: RequestLine) -> bool:
        if rule.behaviour in WEBHOOKS:
            return False
        if rule.behaviour in GATES:
            return line.gate is not None and rule.fits(line.gate_of, line.action)
        if line.nth is None or line.action is None:
            return False
        return rule.hits(line.action) and rule.fits(line.payment_method, line.action)

    def _effect(self, line: EffectLine) -> None:
        if line.idem is not None:
            self.kept_at[line.idem.key] = line.t
        if self._remembers_orders and any(effect.kind == "auth" for effect in line.effects):
            for charge in line.objects.charges:
                self.charged_at[order_of(charge.metadata, charge)] = line.t


def order_of(metadata: Mapping[str, str], charge: Charge) -> Order:
    return order(metadata, charge.currency, charge.amount, charge.token)


def order(metadata: Mapping[str, str], currency: str, amount: int, token: str) -> Order:
    """The merchant's order is what its metadata calls `order_id` or `order`; without one it is empty."""
    named = next((metadata[name] for name in _ORDER_NAMES if name in metadata), "")
    return named, currency, amount, token
