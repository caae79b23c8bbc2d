"""The story of one token, out of a journal: what was asked, done, answered and told, in order (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from paydrill.psp.chain import walk

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Moment:
    """`at_s`: seconds since the first line of the journal."""

    at_s: float
    what: str

    def __str__(self) -> str:
        return f"{self.at_s:12.6f} s  {self.what}"


def story(path: Path, token: str) -> tuple[Moment, ...]:
    """Everything about a harness number (`7`), or a token as it stood on the wire; empty: nothing.

    Raises OSError, ChainBroken.
    """
    rows = [orjson.loads(each.json) for each in walk(path)]
    intents = {pi for row in rows for pi in _intents_of(row, token)}
    asked = [row for row in rows if row["kind"] == "request"]
    # A replay is answered before anybody looks whose it is: only its key tells.
    keys = {row["idem_key"] for row in asked if row["idem_key"] and _is_about(row, token, intents)}
    requests = {row["req"] for row in asked if _is_about(row, token, intents) or row["idem_key"] in keys}
    return tuple(
        Moment((row["t"] - rows[0]["t"]) / 1e9, what)
        for row in rows
        if row.get("pi") in intents or row.get("req") in requests
        for what in _TELL.get(row["kind"], _nothing)(row)
    )


def _is(row: Row, token: str) -> bool:
    if token.isdecimal():
        return row.get("token") == int(token)
    return row.get("payment_method") == token


def _intents_of(row: Row, token: str) -> Iterator[str]:
    if row["kind"] == "effect":
        for effect in row["effects"]:
            if _is(effect, token):
                yield effect["pi"]
    elif row["kind"] == "request" and row["pi"] and _is(row, token):
        yield row["pi"]


def _is_about(row: Row, token: str, intents: set[str]) -> bool:
    return _is(row, token) or row["pi"] in intents


def _nothing(row: Row) -> Iterator[str]:
    return iter(())


def _request(row: Row) -> Iterator[str]:
    text = f"request {row['req']}: {row['op']}"
    if row["pi"]:
        text += f" of {row['pi']}"
    if row["idem_key"]:
        text += f", key {row['idem_key']}"
    if row["decision"]:
        text += f", meets {row['decision']}"
        if row.get("rule") not in (None, row["decision"]):
            text += f" (rule {row['rule']})"
    if row["stopped_by"]:
        text += f", not executed: {row['stopped_by']}"
    yield text


def _effect(row: Row) -> Iterator[str]:
    for effect in row["effects"]:
        own = ", by the provider itself" if effect["by_psp"] else ""
        status = "" if effect["status"] == "done" else f" {effect['status']}"
        yield f"  {effect['kind']}{status} {effect['amount']} {effect['currency']} on {effect['pi']}{own}"
    for intent in row["objects"]["intents"]:
        yield f"  {intent['id']} is {intent['status']}"


def _answer(row: Row) -> Iterator[str]:
    told = "delivered" if row["delivered"] else "NOT delivered"
    yield f"answer {row['req']}: {row['status'] or 'none'}, {told}"


def _webhook(row: Row) -> Iterator[str]:
    answer = row["status"] or row["error"] or "no answer"
    yield f"webhook {row['type']} ({row['variant']}): {answer}"


def _scheduled(row: Row) -> Iterator[str]:
    yield f"request {row['req']} will be executed {(row['due'] - row['t']) / 1e9:.3f} s from now"


def _later(row: Row) -> Iterator[str]:
    yield f"{row['what']} of {row['of']} will come {(row['due'] - row['t']) / 1e9:.3f} s from now"


def _hold(row: Row) -> Iterator[str]:
    yield f"request {row['req']} is held {row['point']}"


def _released(row: Row) -> Iterator[str]:
    yield f"request {row['req']} is let go after {row['held_ns'] / 1e9:.3f} s: {row['answer']} ({row['why']})"


_TELL: Mapping[str, Callable[[Row], Iterator[str]]] = {
    "request": _request,
    "effect": _effect,
    "answer": _answer,
    "webhook": _webhook,
    "scheduled": _scheduled,
    "later": _later,
    "hold": _hold,
    "released": _released,
}
