"""`readings/*.ndjson` and `deliveries.jsonl` -> suspect facts, attachments and deliveries.

Here suspect rows get the harness's view: the class of their state, and the intent that they belong
to. Both may stay unknown (NULL); the row remains.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from paydrill.evidence.json_lines import JsonObject, read_json_lines, span
from paydrill.evidence.parts import IntentIndex, Part, Reading
from paydrill.evidence.run_info import RunInfo
from paydrill.evidence.schema import Table, tables
from paydrill.evidence.typed_rows import TypedRows, capitals, row_hash

_OURS = frozenset(
    {"intent", "intent_token", "op", "psp_effect", "psp_request", "webhook", "timeline", "reading"}
)
"""Tables that the harness fills itself: no reading of the target may add to them."""
_OF_AN_ORDER = frozenset({"outbox_row", "transition"})
_REFS = ("ref", "parent", "order_ref", "client_ref", "event_ref", "cause_ref")


@dataclass(frozen=True)
class RawReading:
    """One file of `readings/`, as it was read."""

    table: Table
    reading: Reading
    objects: tuple[JsonObject, ...]


def parts_from_readings(folder: Path, info: RunInfo, index: IntentIndex) -> list[Part]:
    """One part a file. A file without a header, or of a table that this version has not, is left out."""
    found = (_raw_reading(path) for path in sorted(folder.glob("*.ndjson")))
    raw = [reading for reading in found if reading is not None]
    owners = _owners(raw, index)
    return [_part(reading, info, index, owners) for reading in raw]


def parts_from_deliveries(path: Path, index: IntentIndex) -> list[Part]:
    """The fulfilment receiver's log: one part; none when it was not copied."""
    if not path.exists():
        return []
    lines = read_json_lines(path)
    objects = tuple(_with_text_refs(line) for line in lines.objects if "reading" not in line)
    header = next((_header(line) for line in lines.objects if "reading" in line), {})
    first_ns, last_ns = span(_time_of(line) for line in objects)
    trouble = _trouble(header.get("error"), lines.torn, lines.malformed)
    complete = header.get("complete", True) is True
    reading = Reading("delivery", "fulfilment", 0, first_ns, last_ns, complete, trouble)
    rows = TypedRows(tables()["delivery"])
    for number, line in enumerate(objects):
        rows.add(_delivery(number, line, index))
    return [Part(rows, reading)]


def _raw_reading(path: Path) -> RawReading | None:
    lines = read_json_lines(path)
    if not lines.objects:
        return None
    first, *objects = lines.objects
    header = _header(first)
    name = header.get("table")
    table = tables().get(name) if isinstance(name, str) and name not in _OURS else None
    if table is None:
        return None
    trouble = _trouble(header.get("error"), lines.torn, lines.malformed)
    if trouble is None and header.get("rows", len(objects)) != len(objects):
        trouble = f"it has {len(objects)} rows, of {header.get('rows')} that were read"
    reading = Reading(
        table=table.name,
        source=str(header.get("source") or "unknown"),
        snap=_whole(header.get("snap")),
        t_from_ns=_whole(header.get("t_from_ns")),
        t_to_ns=_whole(header.get("t_to_ns")),
        complete=header.get("complete") is True,
        error=trouble,
    )
    return RawReading(table, reading, tuple(_with_text_refs(line) for line in objects))


def _with_text_refs(line: JsonObject) -> JsonObject:
    """Ids of the target are text, also where it counts them."""
    numbers = {name: str(value) for name in _REFS if type(value := line.get(name)) is int}
    return {**line, **numbers} if numbers else line


def _header(line: JsonObject) -> JsonObject:
    header = line.get("reading")
    return header if isinstance(header, dict) else {}


def _whole(value: object) -> int:
    return value if type(value) is int else 0


def _trouble(error: object, torn: bool, malformed: int) -> str | None:
    texts = [error] if isinstance(error, str) and error else []
    if torn or malformed:
        texts.append(f"{malformed} lines are not JSON, last line torn: {torn}")
    return "; ".join(texts) or None


def _owners(readings: Iterable[RawReading], index: IntentIndex) -> Mapping[str, int]:
    """ref of an object -> intent, over all snapshots; a child has the owner of its parent."""
    objects = [line for raw in readings if raw.table.name == "sut_fact" for line in raw.objects]
    owners: dict[str, int] = {}
    for _ in range(4):  # order -> payment -> refund -> one more
        for line in objects:
            ref, parent = line.get("ref"), line.get("parent")
            if isinstance(ref, str) and ref not in owners:
                owner = _owner(line, ref, parent, index, owners)
                if owner is not None:
                    owners[ref] = owner
    return owners


def _owner(
    line: JsonObject, ref: object, parent: object, index: IntentIndex, owners: Mapping[str, int]
) -> int | None:
    direct = index.resolve(line.get("client_ref"), ref if line.get("kind") == "order" else parent)
    if direct is not None:
        return direct
    return owners.get(parent) if isinstance(parent, str) else None


def _part(raw: RawReading, info: RunInfo, index: IntentIndex, owners: Mapping[str, int]) -> Part:
    rows = TypedRows(raw.table)
    stamp = {"snap": raw.reading.snap, "source": raw.reading.source, "read_ns": raw.reading.t_from_ns}
    for number, line in enumerate(raw.objects):
        rows.add(_values(raw.table, number, {**line, **stamp}, info, index, owners))
    return Part(rows, raw.reading)


def _values(
    table: Table,
    number: int,
    line: JsonObject,
    info: RunInfo,
    index: IntentIndex,
    owners: Mapping[str, int],
) -> JsonObject:
    """The row with what the harness adds to it."""
    ref, parent, kind = line.get("ref"), line.get("parent"), str(line.get("kind"))
    common = {**line, "currency": capitals(line.get("currency"))}
    if table.name == "sut_fact":
        mapped = {"class": info.class_of(kind, line.get("state")), "row_hash": row_hash(_as_read(line))}
        return {**common, **mapped, "intent": _owner(line, ref, parent, index, owners)}
    if table.name == "delivery":
        return _delivery(number, line, index)
    if table.name in _OF_AN_ORDER:
        order = line.get("order_ref", ref)
        own = owners.get(order) if isinstance(order, str) else None
        return {**common, "intent": own if own is not None else index.resolve(line.get("client_ref"), order)}
    return common


def _as_read(line: JsonObject) -> JsonObject:
    """The row without what differs between two readings of the same row."""
    return {name: value for name, value in line.items() if name not in ("snap", "read_ns")}


def _delivery(number: int, line: JsonObject, index: IntentIndex) -> JsonObject:
    given = line.get("delivery")
    return {
        **line,
        "delivery": given if type(given) is int else number + 1,
        "intent": index.resolve(line.get("client_ref"), line.get("order_ref")),
        "t_ns": _time_of(line),
    }


def _time_of(line: JsonObject) -> object:
    return line.get("t_ns", line.get("t"))
