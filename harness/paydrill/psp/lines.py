"""The lines of the journal, one class a kind. Live and rebuilt state both come from these.

`t` is CLOCK_MONOTONIC nanoseconds when the line was written; `n`, the line's number, is put in by
the journal. Readers outside this package use `journal_reader`, not this module.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, TypeVar

import orjson

from paydrill.psp.state import (
    Charge,
    Customer,
    Dispute,
    Effect,
    Endpoint,
    Event,
    Failure,
    Intent,
    KeyRecord,
    Method,
    Other,
    Refund,
    State,
)


@dataclass(frozen=True, slots=True)
class OpenLine:
    """The process started. `name`: which simulator of several; `behaviour`: as it was asked for."""

    kind: ClassVar[str] = "open"
    t: int
    wall_ns: int
    pid: int
    seed: int
    profile: str
    behaviour: Mapping[str, object]
    name: str = "psp"


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request was read, `t_recv` when its head arrived; written before anything is done about it.

    `nth` counts executions of `action` on `token` and is null for what is not a money operation or
    was stopped before a behaviour was drawn for it. `rule` is the rule that `decision` came from,
    `gate` counts what the gate (maintenance, rate limits) saw of this operation of `gate_of`, null
    without a gate; `slow` is the rule by which its answer is held back.
    """

    kind: ClassVar[str] = "request"
    t: int
    t_recv: int
    req: int
    op: str
    money: bool
    idem_key: str | None
    body: str | None
    token: int | None
    payment_method: str | None
    pi: str | None
    action: str | None
    nth: int | None
    decision: str | None
    stopped_by: str | None
    rule: str | None = None
    gate: int | None = None
    gate_of: str | None = None
    slow: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduledLine:
    """A slow commit will take place at `due` (monotonic ns), whether or not its caller still waits."""

    kind: ClassVar[str] = "scheduled"
    t: int
    req: int
    due: int
    method: str
    path: str
    form: str
    idem_key: str | None
    decision: str | None
    locks: str | None


@dataclass(frozen=True, slots=True)
class LaterLine:
    """The PSP will do `what` by itself to the object `of`, at `due` (monotonic ns).

    It stands directly before the effect line of the operation that caused it and holds only with that
    one: a crash between the two leaves neither.
    """

    kind: ClassVar[str] = "later"
    t: int
    item: int
    req: int
    what: str
    of: str
    pi: str
    due: int


@dataclass(frozen=True, slots=True)
class Objects:
    """Objects as they are after an operation."""

    intents: tuple[Intent, ...] = ()
    charges: tuple[Charge, ...] = ()
    refunds: tuple[Refund, ...] = ()
    others: tuple[Other, ...] = ()


@dataclass(frozen=True, slots=True)
class EffectLine:
    """One executed operation, whole: effects, objects, the answer that its key keeps, events.

    `item`: it was no request but the later line of that number; `req` is then the request that
    caused it long ago.
    """

    kind: ClassVar[str] = "effect"
    t: int
    req: int
    effects: tuple[Effect, ...]
    objects: Objects
    idem: KeyRecord | None
    events: tuple[Event, ...]
    item: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """`delivered`: written to an open connection; false = dropped, or the caller was gone."""

    kind: ClassVar[str] = "answer"
    t: int
    req: int
    status: int
    delivered: bool
    stopped_by: str | None


@dataclass(frozen=True, slots=True)
class WebhookLine:
    """One try to tell an event; `status` 0 = no answer, and then `error` says why.

    `signed_s` is the unix time in its signature, `endpoint` who was told. An event that is dropped on
    purpose has one line of variant `dropped` and was never sent.
    """

    kind: ClassVar[str] = "webhook"
    t: int
    attempt: int
    event: str
    seq: int
    type: str
    pi: str
    token: int | None
    variant: str
    t_sent: int
    t_ack: int | None
    status: int
    error: str | None
    endpoint: str
    signed_s: int


@dataclass(frozen=True, slots=True)
class HoldLine:
    kind: ClassVar[str] = "hold"
    t: int
    hold: int
    req: int
    point: str
    action: str
    token: int | None
    pi: str | None


@dataclass(frozen=True, slots=True)
class ReleasedLine:
    """`why`: released, expired (max_s over) or control_gone. `peer_gone`: the caller gave up first."""

    kind: ClassVar[str] = "released"
    t: int
    hold: int
    req: int
    answer: str
    why: str
    held_ns: int
    peer_gone: bool


@dataclass(frozen=True, slots=True)
class FreezeLine:
    kind: ClassVar[str] = "freeze"
    t: int


@dataclass(frozen=True, slots=True)
class ResumeLine:
    kind: ClassVar[str] = "resume"
    t: int


@dataclass(frozen=True, slots=True)
class BehaveLine:
    """Other behaviours from here on, as they were asked for."""

    kind: ClassVar[str] = "behave"
    t: int
    behaviour: Mapping[str, object]


Line: TypeAlias = (
    OpenLine
    | RequestLine
    | ScheduledLine
    | LaterLine
    | EffectLine
    | AnswerLine
    | WebhookLine
    | HoldLine
    | ReleasedLine
    | FreezeLine
    | ResumeLine
    | BehaveLine
)

_KINDS: dict[str, type[Any]] = {
    kind.kind: kind
    for kind in (
        OpenLine,
        RequestLine,
        ScheduledLine,
        LaterLine,
        EffectLine,
        AnswerLine,
        WebhookLine,
        HoldLine,
        ReleasedLine,
        FreezeLine,
        ResumeLine,
        BehaveLine,
    )
}
_STATES: dict[str, type[Any]] = {
    "payment_intent": Intent,
    "charge": Charge,
    "refund": Refund,
    "dispute": Dispute,
    "customer": Customer,
    "payment_method": Method,
    "webhook_endpoint": Endpoint,
}
_FIELDS: dict[type[Any], tuple[str, ...]] = {
    kind: tuple(field.name for field in dataclasses.fields(kind))
    for kind in (*_KINDS.values(), *_STATES.values(), Effect, Event, KeyRecord, Failure)
}
_T = TypeVar("_T")


def encode(n: int, line: Line) -> bytes:
    """One line's JSON: `{"n":…,"kind":…,"t":…,…}`."""
    return b'{"n":%d,"kind":"%b",' % (n, line.kind.encode()) + orjson.dumps(line)[1:]


def decode(json: bytes) -> Line:
    """The line of some JSON. Raises ValueError for what this version cannot read."""
    row = orjson.loads(json)
    kind = _KINDS.get(row.get("kind"))
    if kind is None:
        raise ValueError(f"unknown kind of journal line: {row.get('kind')!r}")
    try:
        if kind is EffectLine:
            return _effect_line(row)
        line: Line = _make(kind, row)
        return line
    except (KeyError, TypeError) as error:
        raise ValueError(f"a journal line of kind {row['kind']!r} lacks {error}") from None


def _make(kind: type[_T], row: Mapping[str, Any]) -> _T:
    """Fields that older journals do not have get their defaults."""
    return kind(**{name: row[name] for name in _FIELDS[kind] if name in row})


def _state(kind: type[_T], row: dict[str, Any]) -> _T:
    if isinstance(row.get("failure"), dict):
        row["failure"] = _make(Failure, row["failure"])
    if "events" in row:
        row["events"] = tuple(row["events"])
    return _make(kind, row)


def _other(row: dict[str, Any]) -> Other:
    other: Other = _state(_STATES[row["object"]], row)
    return other


def _event(row: dict[str, Any]) -> Event:
    state: State = _state(_STATES[row["object"]], row["state"])
    return _make(Event, {**row, "state": state})


def _effect_line(row: dict[str, Any]) -> EffectLine:
    objects = row["objects"]
    return EffectLine(
        t=row["t"],
        req=row["req"],
        effects=tuple(_make(Effect, effect) for effect in row["effects"]),
        objects=Objects(
            intents=tuple(_state(Intent, one) for one in objects["intents"]),
            charges=tuple(_state(Charge, one) for one in objects["charges"]),
            refunds=tuple(_make(Refund, one) for one in objects["refunds"]),
            others=tuple(_other(one) for one in objects.get("others", ())),
        ),
        idem=_make(KeyRecord, row["idem"]) if row["idem"] else None,
        events=tuple(_event(event) for event in row["events"]),
        item=row.get("item"),
    )
