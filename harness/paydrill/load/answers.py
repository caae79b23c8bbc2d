"""What an answer means: definite or not, by the target's table, and what it said (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from paydrill.currencies import from_decimal
from paydrill.target import DECIMAL, Outcome, OutcomeRule

NEVER_SENT = "refused"
UNPARSABLE = "unparsable"
CODE_PATHS = ("error.code", "code", "error.type", "error")


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back: a status with a body, or the transport's error.

    replayed: a header says that this is the kept answer to an earlier request (`Idempotent-Replayed`)
    err: None, or one of timeout, refused (no connection: nothing was sent), reset, eof, garbled, stopped
    """

    status: int | None
    body: bytes = b""
    err: str | None = None
    node: str | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What the answer said; None where it said nothing of the kind.

    challenge: the id of the challenge that the payment waits for
    """

    order_ref: str | None = None
    said: str | None = None
    amount: int | None = None
    currency: str | None = None
    version: int | None = None
    code: str | None = None
    challenge: str | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """One operation's end. `executed`: the target decided it, so it settles earlier unknowns of its key."""

    outcome: Outcome
    executed: bool
    status: int | None
    err: str | None
    facts: Facts


def classify(
    status: int | None, err: str | None, code: str | None, rules: Iterable[OutcomeRule], kind: str
) -> tuple[Outcome, bool]:
    """(outcome, executed) by the first row that fits.

    Where no row fits, a request that was never sent has failed and everything else is unknown.
    """
    for rule in rules:
        if rule.kind not in (None, kind) or rule.code not in (None, code):
            continue
        if _fits(rule.status, status, err):
            return rule.outcome, rule.executed
    return ("fail" if err == NEVER_SENT else "info"), False


def _fits(pattern: str, status: int | None, err: str | None) -> bool:
    if err is not None:
        return pattern == err
    return status is not None and pattern in (str(status), f"{status // 100}xx")


def judge(raw: RawAnswer, answer: Mapping[str, str], rules: Iterable[OutcomeRule], kind: str) -> Result:
    """Read the body and classify.

    A 2xx answer whose declared facts cannot be read is unknown (`unparsable`): nothing was learned.
    """
    parsed, readable = _parse(raw.body)
    facts = read_facts(parsed, answer, raw.replayed)
    err = raw.err
    succeeded = raw.status is not None and 200 <= raw.status < 300
    lost_reference = kind == "create" and "order_ref" in answer and facts.order_ref is None
    if err is None and succeeded and answer and (not readable or lost_reference):
        err = UNPARSABLE
    outcome, executed = classify(raw.status, err, facts.code, rules, kind)
    return Result(outcome, executed, raw.status, err, facts)


def _parse(body: bytes) -> tuple[Any, bool]:
    try:
        return orjson.loads(body), True
    except orjson.JSONDecodeError:
        return None, False


def read_facts(body: Any, answer: Mapping[str, str], replayed: bool = False) -> Facts:
    """The declared facts of a parsed body. What has another type than expected is left out."""
    currency = _text(_at(body, answer.get("currency")))
    code = _at(body, answer["code"]) if "code" in answer else _first_text(body, CODE_PATHS)
    return Facts(
        order_ref=_text(_at(body, answer.get("order_ref"))),
        said=_text(_at(body, answer.get("said", answer.get("state")))),
        amount=_amount(body, answer.get("amount"), currency),
        currency=currency,
        version=_whole(_at(body, answer.get("version"))),
        code=code if isinstance(code, str) else None,
        challenge=_text(_at(body, answer.get("challenge"))),
        replayed=replayed,
    )


def _at(body: Any, path: str | None) -> Any:
    """The value at a dotted path; numbers index lists. None when there is none."""
    if path is None:
        return None
    for step in path.split("."):
        if isinstance(body, dict):
            body = body.get(step)
        elif isinstance(body, list) and step.isdigit() and int(step) < len(body):
            body = body[int(step)]
        else:
            return None
    return body


def _amount(body: Any, path: str | None, currency: str | None) -> int | None:
    """Minor units; `total | decimal` reads `12.34` in the answer's own currency."""
    place, _, form = (path or "").partition("|")
    value = _at(body, place.strip()) if path else None
    if form.strip() != DECIMAL:
        return _whole(value)
    return None if currency is None else from_decimal(value, currency)


def _first_text(body: Any, paths: Iterable[str]) -> str | None:
    values = (_at(body, path) for path in paths) if isinstance(body, dict) else ()
    return next((value for value in values if isinstance(value, str)), None)


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
