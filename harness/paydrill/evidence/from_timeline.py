"""`timeline.jsonl` -> timeline: what the harness did, with each fault from inject to heal as one row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from paydrill.evidence.json_lines import JsonObject, number, read_json_lines, span
from paydrill.evidence.parts import Part, Reading
from paydrill.evidence.schema import tables
from paydrill.evidence.typed_rows import TypedRows

_VALUES: Mapping[str, str] = {
    "witness": "id",
    "heal": "id",
    "counters": "id",
    "settled": "open_work",
    "snapshot": "snap",
    "psp_freeze": "n",
}


def parts_from_timeline(path: Path) -> list[Part]:
    """One part; none when there is no time line."""
    if not path.exists():
        return []
    lines = read_json_lines(path)
    rows = TypedRows(tables()["timeline"])
    healed = {number(line, "id"): line.get("t") for line in lines.objects if line.get("kind") == "heal"}
    for place, line in enumerate(sorted(lines.objects, key=_order)):
        rows.add(_row(place, line, healed))
    first_ns, last_ns = span(line.get("t") for line in lines.objects)
    trouble = f"{lines.malformed} lines are not JSON" if lines.malformed else None
    reading = Reading("timeline", "timeline", 0, first_ns, last_ns, True, trouble)
    return [Part(rows, reading)]


def _order(line: JsonObject) -> tuple[int, int]:
    t, seq = line.get("t"), line.get("seq")
    return (t if isinstance(t, int) else 0, seq if isinstance(seq, int) else 0)


def _row(place: int, line: JsonObject, healed: Mapping[int, object]) -> Mapping[str, object]:
    kind = line.get("kind")
    is_fault = kind == "fault"
    value = line.get("id") if is_fault else line.get(_VALUES.get(str(kind), ""))
    return {
        "ev": place,
        "kind": kind,
        "name": _first(line, "name", "node", "edge"),
        "place": _place(_first(line, "where", "node", "edge")),
        "class": _class(line),
        "t_start_ns": line.get("t"),
        "t_end_ns": healed.get(number(line, "id")) if is_fault else None,
        "value": value if type(value) is int else None,
        "detail": _first(line, "detail", "edge_state", "head", "reason"),
    }


def _place(where: object) -> object:
    return ", ".join(str(each) for each in where) if isinstance(where, list) else where


def _first(line: JsonObject, *names: str) -> object:
    return next((line[name] for name in names if line.get(name) is not None), None)


def _class(line: JsonObject) -> str | None:
    """The one word that programs read of a line."""
    kind = line.get("kind")
    if kind == "witness":
        return "witnessed" if line.get("witnessed") is True else "unwitnessed"
    if kind == "heal":
        return "clean" if line.get("clean") is True else "unclean"
    if kind == "settled":
        return "in_time" if line.get("in_time") is True else "late"
    if kind == "snapshot":
        return "equal" if line.get("equal") is True else "different"
    if kind == "restart":
        return "planned" if line.get("planned") is True else "unplanned"
    code = line.get("code")
    return code if isinstance(code, str) else None
