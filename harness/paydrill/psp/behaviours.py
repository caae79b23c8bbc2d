"""Decides which operations, requests and events meet a behaviour, from the seed (pure).

Each decision is blake2b(seed | rule | token | operation | n-th execution): neither the order in
which requests arrive nor a restart nor another rule changes it. Only a rule with `count` or `after`
follows the order of arrival; `Tally` knows how far it has come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from paydrill.psp import rules as names
from paydrill.psp.rules import (
    ANSWERS,
    APPROVE,
    EXECUTIONS,
    GATES,
    LOOKUPS,
    NUMBERS,
    OPERATIONS,
    WEBHOOKS,
    Rule,
    read,
)

Seen = Callable[[Rule], int]
"""How many executions (requests, events) have fitted a counting rule so far."""


def draw(seed: int, rule: str, token: str, operation: str, nth: int) -> float:
    """A number in [0, 1), always the same for the same arguments."""
    text = f"{seed}|{rule}|{token}|{operation}|{nth}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64


def seed_of(seed: int, name: str) -> int:
    """The seed of one simulator among several: the second one draws anew and gives other ids."""
    if name == "psp":
        return seed
    return int.from_bytes(hashlib.blake2b(f"{seed}|{name}".encode(), digest_size=7).digest(), "big")


@dataclass(frozen=True, slots=True)
class Decision:
    """A behaviour that was drawn, the rule that it came from, and for how long where it lasts."""

    behaviour: str
    rule: str
    seconds: float
    copies: int | None = None


@dataclass(frozen=True)
class Behaviours:
    """Shares by name (0…1), numbers by name, and rules; whatever none of them takes is approved.

    Rules come before shares and win in the order in which they are given.
    """

    seed: int
    settings: Mapping[str, float]
    rules: tuple[Rule, ...] = ()
    executions: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict, repr=False)
    gates: tuple[Rule, ...] = field(default=(), repr=False)
    limits: tuple[Rule, ...] = field(default=(), repr=False)
    """Rate limits that let so many a second pass."""
    slow: tuple[Rule, ...] = field(default=(), repr=False)
    lookups: tuple[Rule, ...] = field(default=(), repr=False)
    webhooks: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, seed: int, asked: Mapping[str, object]) -> Behaviours:
        """Raises UsageError for an unknown name, a share that is none or a rule that cannot be."""
        settings, rules = read(asked)
        wanted = [*rules, *(Rule(name, name, share) for name, share in _shares(settings))]
        return cls(
            seed,
            settings,
            rules,
            executions={name: _for_operation(wanted, name) for name in OPERATIONS},
            gates=tuple(one for one in wanted if one.behaviour in GATES and one.per_s is None),
            limits=tuple(one for one in wanted if one.per_s is not None),
            slow=tuple(one for one in wanted if one.behaviour in ANSWERS),
            lookups=tuple(one for one in wanted if one.behaviour in LOOKUPS),
            webhooks={
                name: found
                for name in WEBHOOKS
                if (found := tuple(one for one in wanted if one.behaviour == name))
            },
        )

    def as_json(self) -> dict[str, object]:
        """What `of` was asked for."""
        rules = [rule.as_json() for rule in self.rules]
        return {**self.settings, "rules": rules} if rules else dict(self.settings)

    def execution(self, token: str, operation: str, nth: int, seen: Seen) -> Decision | None:
        """What becomes of one execution, or None: it is approved and answered."""
        return self._first(self.executions.get(operation, ()), token, operation, nth, seen)

    def gate(self, subject: str, operation: str, nth: int, seen: Seen) -> Decision | None:
        """What turns one request away, or None."""
        return self._first(self.gates, subject, operation, nth, seen)

    def slow_answer(self, subject: str, operation: str, nth: int, seen: Seen) -> Decision | None:
        """How long the answer to one request is held back: half to one and a half of what was asked for."""
        drawn = self._first(self.slow, subject, operation, nth, seen)
        if drawn is None:
            return None
        part = 0.5 + draw(self.seed, f"{drawn.rule}|wait", subject, operation, nth)
        return replace(drawn, seconds=drawn.seconds * part)

    def lookup_lag(self) -> Decision | None:
        """The longest time that searches and lists are behind by a rule; the setting is another matter."""
        decisions = [Decision(rule.behaviour, rule.id, self._lasts(rule)) for rule in self.lookups]
        return max(decisions, key=lambda one: one.seconds, default=None)

    def webhook(self, name: str, subject: str, event_type: str, nth: int, seen: Seen) -> Decision | None:
        """Whether a webhook behaviour meets the nth event of that type of that token (or intent)."""
        rules = self.webhooks.get(name, ())
        return self._first(rules, subject, event_type, nth, seen) if rules else None

    def number(self, name: str) -> float:
        """A setting, or what it is when nobody asked."""
        return self.settings.get(name, NUMBERS[name].usual)

    def _first(
        self, rules: Iterable[Rule], token: str, operation: str, nth: int, seen: Seen
    ) -> Decision | None:
        for rule in rules:
            if not self._hit(rule, token, operation, nth, seen):
                continue
            if rule.behaviour == APPROVE:
                return None
            return Decision(rule.behaviour, rule.id, self._lasts(rule), rule.copies)
        return None

    def _lasts(self, rule: Rule) -> float:
        return self._seconds(rule.behaviour) if rule.seconds is None else rule.seconds

    def _hit(self, rule: Rule, token: str, operation: str, nth: int, seen: Seen) -> bool:
        if rule.share <= 0.0 or (
            not (rule.token is None and rule.operation is None) and not rule.fits(token, operation)
        ):
            return False
        if rule.counts and not rule.due(seen(rule)):
            return False
        return rule.share >= 1.0 or draw(self.seed, rule.id, token, operation, nth) < rule.share

    def _seconds(self, behaviour: str) -> float:
        name = _LASTS.get(behaviour)
        return self.number(name) if name is not None else 0.0


_LASTS = {
    names.SLOW_COMMIT: "slow_commit_s",
    names.ASYNC_PENDING: "async_s",
    names.ASYNC_FAIL: "async_s",
    names.SLOW_ANSWER: "slow_answer_s",
    names.LOOKUP_LAG: "lookup_lag_s",
    names.LATE_RISK_DECLINE: "late_decline_s",
    names.CHARGEBACK: "dispute_s",
    names.AUTH_EXPIRE: "auth_expire_s",
    names.MAINTENANCE: "maintenance_retry_after_s",
    names.WEBHOOK_DELAY: "webhook_delay_s",
    names.WEBHOOK_REORDER: "webhook_reorder_s",
    names.WEBHOOK_REPLAY_OLD: "webhook_replay_s",
}


def _shares(settings: Mapping[str, float]) -> list[tuple[str, float]]:
    """In the order in which they win. `approve` is only said: it is what is left over."""
    order = (*EXECUTIONS, *GATES, *ANSWERS, *WEBHOOKS)
    return [(name, settings[name]) for name in order if settings.get(name, 0.0) > 0.0]


def _for_operation(rules: Iterable[Rule], operation: str) -> tuple[Rule, ...]:
    return tuple(
        rule
        for rule in rules
        if (rule.behaviour in EXECUTIONS or rule.behaviour == APPROVE) and rule.hits(operation)
    )
