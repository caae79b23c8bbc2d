"""What a plan may ask the simulator to do badly: names, shares, numbers and rules, read and checked (pure).

A *share* is a name with a number (`{"decline": 0.02}`), a *rule* says more: whose token, which
operation, how many times. Both are asked for in one JSON object, rules under `rules`.
"""

from __future__ import annotations

import difflib
import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from paydrill.errors import UsageError
from paydrill.psp.tokens import harness_number

APPROVE = "approve"
DECLINE = "decline"
COMMIT_THEN_DROP = "commit_then_drop"
COMMIT_THEN_500 = "commit_then_500"
SLOW_COMMIT = "slow_commit"
DROP_BEFORE_COMMIT = "drop_before_commit"
ASYNC_PENDING = "async_pending"
ASYNC_FAIL = "async_fail"
PARTIAL_CAPTURE = "partial_capture"
AUTH_EXPIRE = "auth_expire"
LATE_RISK_DECLINE = "late_risk_decline"
CHARGEBACK = "chargeback"
MAINTENANCE = "maintenance"
RATE_LIMIT = "rate_limit"
UNAVAILABLE = "unavailable"
SLOW_ANSWER = "slow_answer"
LOOKUP_LAG = "lookup_lag"
WEBHOOK_DUPLICATE = "webhook_duplicate"
WEBHOOK_REORDER = "webhook_reorder"
WEBHOOK_DELAY = "webhook_delay"
WEBHOOK_DROP = "webhook_drop"
WEBHOOK_BAD_SIGNATURE = "webhook_bad_signature"
WEBHOOK_STALE = "webhook_stale"
WEBHOOK_REPLAY_OLD = "webhook_replay_old"
WEBHOOK_BEFORE_RESPONSE = "webhook_before_response"

CHARGES = ("create", "confirm")
"""The operations that put money on a card: create with confirm, and confirm."""
MONEY = (*CHARGES, "capture", "refund")
OPERATIONS = (*MONEY, "cancel")
"""What a rule may name. `cancel` moves no money of its own accord: it is hit only when it is named."""

EXECUTIONS: Mapping[str, tuple[str, ...]] = {
    DECLINE: CHARGES,
    COMMIT_THEN_DROP: OPERATIONS,
    COMMIT_THEN_500: OPERATIONS,
    SLOW_COMMIT: OPERATIONS,
    DROP_BEFORE_COMMIT: OPERATIONS,
    ASYNC_PENDING: CHARGES,
    ASYNC_FAIL: CHARGES,
    PARTIAL_CAPTURE: CHARGES,
    AUTH_EXPIRE: CHARGES,
    LATE_RISK_DECLINE: CHARGES,
    CHARGEBACK: CHARGES,
}
"""What may become of an execution, with the operations that it can be asked for. Of several shares
the first one drawn in this order wins."""
GATES = (MAINTENANCE, RATE_LIMIT, UNAVAILABLE)
"""What turns a request away before anything is done, also one that only reads."""
ANSWERS = (SLOW_ANSWER,)
"""What holds back the answer to any request, whatever else becomes of it."""
LOOKUPS = (LOOKUP_LAG,)
"""What searches and lists do not see yet; asked for by rules only."""
WEBHOOKS = (
    WEBHOOK_DROP,
    WEBHOOK_DUPLICATE,
    WEBHOOK_REORDER,
    WEBHOOK_DELAY,
    WEBHOOK_BAD_SIGNATURE,
    WEBHOOK_STALE,
    WEBHOOK_REPLAY_OLD,
    WEBHOOK_BEFORE_RESPONSE,
)
"""What may become of an event; one event may meet several of them."""
SHARES = (APPROVE, *EXECUTIONS, *GATES, *ANSWERS, *WEBHOOKS)
NAMES = (*SHARES, *LOOKUPS)


@dataclass(frozen=True)
class Number:
    """A setting that is no share: what it is when nobody asks, and what it may be."""

    usual: float
    top: float
    bottom: float = 0.0
    whole: bool = False


_LONGEST_S = 3600.0
NUMBERS: Mapping[str, Number] = {
    "slow_commit_s": Number(2.0, _LONGEST_S),
    "slow_answer_s": Number(1.0, _LONGEST_S),
    "async_s": Number(2.0, _LONGEST_S),
    "auth_life_s": Number(30.0, _LONGEST_S),
    "refund_pending_s": Number(2.0, _LONGEST_S),
    "refund_fail_s": Number(3.0, _LONGEST_S),
    "late_decline_s": Number(3.0, _LONGEST_S),
    "dispute_s": Number(5.0, _LONGEST_S),
    "fee_bp": Number(0.0, 10_000.0),
    "auth_expire_s": Number(2.0, _LONGEST_S),
    "partial_capture_part": Number(0.5, 1.0),
    "maintenance_retry_after_s": Number(1, _LONGEST_S, 1, whole=True),
    "rate_limit_per_s": Number(0.0, 1e6),
    "lookup_lag_s": Number(0.0, _LONGEST_S),
    "idem_ttl_s": Number(math.inf, 1e8),
    "webhook_copies": Number(1, 20, 1, whole=True),
    "webhook_reorder_s": Number(2.0, _LONGEST_S),
    "webhook_delay_s": Number(2.0, _LONGEST_S),
    "webhook_replay_s": Number(2.0, _LONGEST_S),
}


@dataclass(frozen=True)
class Rule:
    """One behaviour for the executions (requests, events) that fit. None fits all.

    `token` is a harness number or a token as it stands on the wire. With `count` the first `count`
    that fit are hit after `after` of them, in order of arrival; `share` draws among those that are left.
    `per_s` is for `rate_limit` only: so many that fit pass each second, in order of arrival, in place of
    a share. `copies` is for `webhook_duplicate` only.
    """

    id: str
    behaviour: str
    share: float = 1.0
    count: int | None = None
    after: int = 0
    token: int | str | None = None
    operation: str | None = None
    seconds: float | None = None
    per_s: float | None = None
    copies: int | None = None

    @property
    def counts(self) -> bool:
        """Whether it follows the order of arrival, so that it must be known how many fitted."""
        return self.count is not None or self.after > 0

    def fits(self, token: str | None, operation: str | None) -> bool:
        return self.operation in (None, operation) and self._has(token)

    def due(self, seen: int) -> bool:
        """Whether it is the turn of the next one that fits, after `seen` of them."""
        return self.after <= seen and (self.count is None or seen < self.after + self.count)

    def hits(self, operation: str) -> bool:
        """Whether executions of an operation can meet it: `cancel` must be named."""
        if self.operation is not None:
            return self.operation == operation
        return operation in MONEY and operation in EXECUTIONS.get(self.behaviour, MONEY)

    def _has(self, token: str | None) -> bool:
        if self.token is None:
            return True
        return (harness_number(token) if isinstance(self.token, int) else token) == self.token

    def as_json(self) -> dict[str, object]:
        """Without what was left to its default."""
        plain = Rule(self.id, self.behaviour)
        return {
            name: value
            for name in _RULE_KEYS
            if (value := getattr(self, name)) != getattr(plain, name) or name in ("id", "behaviour")
        }


_RULE_KEYS = (
    *("id", "behaviour", "share", "count", "after", "token", "operation", "seconds"),
    *("per_s", "copies"),
)


def rule_of(given: object) -> Rule:
    """One rule by itself, which must have an id. Raises UsageError."""
    rule = _rule(1, given)
    if not isinstance(given, Mapping) or not given.get("id"):
        raise UsageError(f"PSP rule {rule.id!r}: a rule that is added needs an id, by which it is taken away")
    _check_ids((rule,))
    return rule


def read(asked: Mapping[str, object]) -> tuple[dict[str, float], tuple[Rule, ...]]:
    """Shares and numbers by name, and the rules. Raises UsageError, naming what is wrong and what may be."""
    rest = dict(asked)
    listed = rest.pop("rules", ())
    if not isinstance(listed, list | tuple):
        raise UsageError(f"PSP behaviour rules: expected a list, got {listed!r}")
    rules = tuple(_rule(place, given) for place, given in enumerate(listed, start=1))
    _check_ids(rules)
    return {name: _checked(name, value) for name, value in rest.items()}, rules


def with_texts(asked: Mapping[str, object], texts: Iterable[str]) -> dict[str, object]:
    """What was asked for in JSON, and each of `texts` besides. Raises UsageError.

    `commit_then_drop 5%`, `decline count=3 after=10 token=7`, `slow_commit 20% operation=capture
    seconds=4`, `webhook_delay_s 3`.
    """
    merged = dict(asked)
    rules = list(merged.pop("rules", ()))  # type: ignore[call-overload]
    for text in texts:
        name, words = _split(text)
        if name in NUMBERS:
            merged[name] = _number_text(text, words)
        else:
            rules.append(_rule_text(text, name, words))
    return {**merged, "rules": rules} if rules else merged


def _rule(place: int, given: object) -> Rule:
    if not isinstance(given, Mapping):
        raise UsageError(f"PSP rule {place}: expected an object, got {given!r}")
    for name in given:
        if name not in _RULE_KEYS:
            raise UsageError(f"PSP rule {place}: unknown key {name!r}; known are: {', '.join(_RULE_KEYS)}")
    where = f"PSP rule {given.get('id', place)!r}"
    behaviour = given.get("behaviour")
    if behaviour not in NAMES:
        raise UsageError(f"{where}: unknown behaviour {behaviour!r}; known are: {', '.join(NAMES)}")
    rule = Rule(
        id=str(given.get("id") or _default_id(given)),
        behaviour=behaviour,
        share=_between(f"{where}: share", given.get("share", 1.0), 0.0, 1.0),
        count=_whole(f"{where}: count", given["count"], 1) if given.get("count") is not None else None,
        after=_whole(f"{where}: after", given.get("after") or 0, 0),
        token=_token(where, given.get("token")),
        operation=given.get("operation"),
    )
    if given.get("seconds") is not None:
        seconds = _between(f"{where}: seconds", given["seconds"], 0.0, _LONGEST_S)
        rule = replace(rule, seconds=seconds)
    if given.get("per_s") is not None:
        _only_for(where, "per_s", rule, RATE_LIMIT)
        rule = replace(rule, per_s=_between(f"{where}: per_s", given["per_s"], 0.1, 1e6))
    if given.get("copies") is not None:
        _only_for(where, "copies", rule, WEBHOOK_DUPLICATE)
        rule = replace(rule, copies=_whole(f"{where}: copies", given["copies"], 1, 20))
    _check_operation(where, rule)
    _check_lookup(where, rule)
    return rule


def _only_for(where: str, key: str, rule: Rule, behaviour: str) -> None:
    if rule.behaviour != behaviour:
        raise UsageError(f"{where}: {key} is for {behaviour} only, not for {rule.behaviour}")


def _check_lookup(where: str, rule: Rule) -> None:
    """What a lookup does not see is so for all who look."""
    if rule.behaviour in LOOKUPS and (rule.share < 1.0 or rule.counts or rule.token is not None):
        raise UsageError(f"{where}: {rule.behaviour} is of every search and list: it takes seconds only")


def _check_operation(where: str, rule: Rule) -> None:
    if rule.operation is None:
        return
    if rule.behaviour in (*WEBHOOKS, *LOOKUPS):
        about = "events" if rule.behaviour in WEBHOOKS else "searches and lists"
        raise UsageError(f"{where}: {rule.behaviour} is about {about} and takes no operation")
    allowed = EXECUTIONS.get(rule.behaviour, OPERATIONS)
    if rule.operation not in allowed:
        raise UsageError(f"{where}: operation: expected one of {', '.join(allowed)}, got {rule.operation!r}")


def _check_ids(rules: Iterable[Rule]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen or rule.id in NAMES:
            raise UsageError(
                f"PSP rule {rule.id!r}: its id is that of another rule or a behaviour's name; give it its own, "
                "since every decision is drawn by it"
            )
        seen.add(rule.id)


def _default_id(given: Mapping[str, Any]) -> str:
    """What a rule says, so that another rule beside it does not change its draws."""
    return " ".join(f"{name}={given[name]}" for name in sorted(given) if given[name] is not None)


def _token(where: str, given: object) -> int | str | None:
    if given is None or (isinstance(given, int) and not isinstance(given, bool)):
        return given
    if isinstance(given, str) and given:
        return given
    raise UsageError(f"{where}: token: expected a harness number or a token such as pm_pd_7, got {given!r}")


def _checked(name: str, value: object) -> float:
    if name in SHARES:
        return _between(f"PSP behaviour {name}", value, 0.0, 1.0)
    number = NUMBERS.get(name)
    if number is None:
        known = ", ".join((*SHARES, *NUMBERS, "rules"))
        raise UsageError(f"unknown PSP behaviour {name!r}; known are: {known}")
    if number.whole:
        _whole(f"PSP behaviour {name}", value, int(number.bottom))
    return _between(f"PSP behaviour {name}", value, number.bottom, number.top)


def _between(what: str, value: object, bottom: float, top: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{what}: expected a number, got {value!r}")
    if not bottom <= value <= top:
        raise UsageError(f"{what}: expected a number from {bottom:g} to {top:g}, got {value!r}")
    return float(value)


def _whole(what: str, value: object, bottom: int, top: int | None = None) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < bottom or value > (top or value):
        to = f" to {top}" if top else ""
        raise UsageError(f"{what}: expected a whole number from {bottom}{to}, got {value!r}")
    return value


def _split(text: str) -> tuple[str, list[str]]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--rule {text!r}: {error}") from None
    if not words or words[0] not in (*NAMES, *NUMBERS):
        near = difflib.get_close_matches(words[0] if words else "", (*NAMES, *NUMBERS), n=1)
        known = f"did you mean {near[0]}?" if near else f"behaviours are: {', '.join(NAMES)}"
        raise UsageError(
            f"--rule {text!r}: expected a behaviour and perhaps its share, such as 'commit_then_drop 5%'; {known}"
        )
    return words[0], words[1:]


def _number_text(text: str, words: list[str]) -> float:
    if len(words) != 1:
        raise UsageError(
            f"--rule {text!r}: expected one number after the name, such as '{text.split()[0]} 2'"
        )
    return _float(text, words[0])


def _rule_text(text: str, name: str, words: list[str]) -> dict[str, object]:
    rule: dict[str, object] = {"id": text.strip(), "behaviour": name}
    if rule["id"] == name:
        rule["id"] = f"{name} 100%"
    for word in words:
        key, equals, value = word.partition("=")
        if word.endswith("%"):
            rule["share"] = _float(text, word[:-1]) / 100.0
        elif not equals:
            raise UsageError(
                f"--rule {text!r}: expected a share such as 5% or count=, after=, token=, operation=, seconds=, "
                f"got {word!r}"
            )
        else:
            rule[key] = _value(text, key, value)
    return rule


def _value(text: str, key: str, value: str) -> object:
    if key == "operation":
        return value
    if key == "token":
        return int(value) if value.isdecimal() else value
    number = _float(text, value)
    return int(number) if number.is_integer() else number


def _float(text: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise UsageError(f"--rule {text!r}: expected a number, got {word!r}") from None
