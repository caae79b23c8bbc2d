"""One intent's events from all sources on one time line, for findings, reports and `explain`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, order=True)
class Event:
    """One row of a story. `id` names the evidence row (`op71`, `eff12`); `kind` is what it is about."""

    t_ns: int
    source: str
    id: str
    kind: str
    text: str


def events_of(
    connection: DuckDBPyConnection, intent: int | None, pi: str | None = None, faults: bool = True
) -> list[Event]:
    """Every event of an intent, or of one object of the PSP, in order of time.

    With `faults`, those of the whole drill are among them: they are what the story is told against.
    """
    intents = [] if intent is None else [intent]
    objects = [] if pi is None else [pi]
    return [event for _, _, event in _query(connection, intents, objects, faults)]


def events_by_subject(
    connection: DuckDBPyConnection, intents: Iterable[int], objects: Iterable[str]
) -> tuple[dict[int, list[Event]], dict[str, list[Event]]]:
    """Events of many intents and of many PSP objects at once, without the drill's faults."""
    by_intent: dict[int, list[Event]] = {}
    by_object: dict[str, list[Event]] = {}
    for intent, pi, event in _query(connection, sorted(set(intents)), sorted(set(objects)), False):
        if intent is not None:
            by_intent.setdefault(intent, []).append(event)
        if pi is not None:
            by_object.setdefault(pi, []).append(event)
    return by_intent, by_object


def _query(
    connection: DuckDBPyConnection, intents: list[int], objects: list[str], faults: bool
) -> list[tuple[int | None, str | None, Event]]:
    statement = (files("paydrill.evidence") / "story.sql").read_text()
    parameters = {"intents": intents, "objects": objects, "faults": faults}
    rows = connection.execute(statement, parameters).fetchall()
    return [
        (intent, pi, Event(t or 0, source, id_, kind, text))
        for intent, pi, t, source, id_, kind, text in rows
    ]
