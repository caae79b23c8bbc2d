"""JSON Schema of scenario files, for editors: made from the same words that the reader checks against.

`docs/scenario.schema.json` is this text; a test fails when it is stale. Draft 7, because that is what
editors' YAML servers read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

import orjson

from paydrill.events import EventKind
from paydrill.events.gauges import GAUGES
from paydrill.events.known import KINDS
from paydrill.fault_fields import FieldSpec, specs_of
from paydrill.faults import Fault
from paydrill.psp.rules import NUMBERS, Number
from paydrill.scenario_file import LANGUAGES, PSP_SHARES, SLOS
from paydrill.target import Timing

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
DURATION = r"^\d+(\.\d+)?(ms|s|m|h)$"
RATE = r"^\d+(\.\d+)?/(s|m|h)$"
BOUND = r"^\s*(>=|<=|>|<)\s*\d+(\.\d+)?\s*$"


def schema_text(
    faults: Mapping[str, type[Fault]],
    classes: Collection[str],
    invariants: Collection[str],
    windows: Collection[str],
) -> str:
    """The schema as indented JSON with a newline at its end."""
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A paydrill scenario",
        "description": "Load, a timeline of faults and what is expected. See docs/scenarios.md.",
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "title", "why", "load"],
        "definitions": {"when": _when()},
        "properties": {
            "name": {"type": "string", "pattern": NAME, "description": "Part of the run folder's name."},
            "title": _title(),
            "why": {"type": "string", "minLength": 1, "description": "One sentence: what could go wrong."},
            "target": {"type": "string", "pattern": NAME},
            "topology": {"type": "string", "pattern": NAME},
            "load": _load(classes),
            "psp": _psp(),
            "timeline": {
                "type": "array",
                "items": {"oneOf": [_step(name, faults[name]) for name in sorted(faults)]},
            },
            "abort_if": {
                "type": "array",
                "items": _condition({"after": _duration("From then on, after the load began.")}),
                "description": "Ends the drill at once: healed, and inconclusive with the code aborted.",
            },
            "expect": _expect(invariants, windows),
            "timing": _section({field.name: {"type": "number", "minimum": 0} for field in fields(Timing)}),
        },
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _section(properties: Mapping[str, Any], required: Collection[str] = ()) -> dict[str, Any]:
    section = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    return {**section, "required": list(required)} if required else section


def _title() -> dict[str, Any]:
    by_language = _section({language: {"type": "string", "minLength": 1} for language in LANGUAGES})
    return {"anyOf": [{"type": "string", "minLength": 1}, {**by_language, "minProperties": 1}]}


def _load(classes: Collection[str]) -> dict[str, Any]:
    properties = {
        "rate": {"type": "string", "pattern": RATE, "description": "Arrivals of the whole mix: 40/s, 600/m."},
        "duration": {"type": "string", "pattern": DURATION},
        "mix": {
            **_section({name: {"type": "number", "minimum": 0} for name in sorted(classes)}),
            "minProperties": 1,
            "description": "Traffic classes and their weights.",
        },
        "max_in_flight": {"type": "integer", "minimum": 1, "description": "More are dropped, and counted."},
    }
    return _section(properties, ("rate", "duration", "mix"))


def _psp() -> dict[str, Any]:
    shares = {name: {"type": "number", "minimum": 0, "maximum": 1} for name in PSP_SHARES}
    section = _section({**shares, **{name: _number(number) for name, number in NUMBERS.items()}})
    return {**section, "description": "PSP behaviours and their shares of the operations, and its settings."}


def _number(number: Number) -> dict[str, Any]:
    kind = "integer" if number.whole else "number"
    return {"type": kind, "minimum": number.bottom, "maximum": number.top}


def _step(name: str, fault: type[Fault]) -> dict[str, Any]:
    specs = specs_of(fault)
    properties = {
        "at": _duration("After the load began."),
        "for": {"type": "string", "pattern": DURATION},
        "every": _duration("With repeat: from one begin to the next."),
        "repeat": {"type": "integer", "minimum": 1, "description": "With every: how often in all."},
        "fault": {"const": name},
        **{spec.key: _value(spec) for spec in specs},
    }
    begins: dict[str, Any] = {"required": ["at"]}
    if fault.hits != "load":
        # Said once, below `definitions`: it is the same for every fault.
        properties["when"] = {"$ref": "#/definitions/when"}
        begins = {"oneOf": [begins, {"required": ["when"]}]}
    required = ("for", "fault", *(spec.key for spec in specs if spec.required))
    repeats = {"dependencies": {"every": ["repeat", "at"], "repeat": ["every", "at"]}}
    section = _section(properties, required)
    return {"title": name, "description": fault.summary, **section, **begins, **repeats}


def _when() -> dict[str, Any]:
    """An event or a number; what can be held says so."""
    times = {
        "after": _duration("It counts from then on, after the load began."),
        "before": _duration("Until then it must have come."),
    }
    hold = {
        "hold": {"type": "boolean", "description": "The PSP holds the answer until the fault is in force."}
    }
    return _condition(times, hold)


def _condition(more: Mapping[str, Any], held: Mapping[str, Any] | None = None) -> dict[str, Any]:
    events = [_event(kind, {**more, **(held or {} if kind.hold else {})}) for kind in KINDS.values()]
    bound = {"type": "number", "minimum": 0}
    bounds = {"over": bound, "under": bound}
    one_bound = {"oneOf": [{"required": ["over"]}, {"required": ["under"]}]}
    own = {"metric": {"enum": list(GAUGES)}}
    gauge = {"title": "a number", **_section({**own, **bounds, **more}, ("metric",)), **one_bound}
    asked = {
        "metric": {"type": "string", "minLength": 1},
        "of": {"type": "string", "minLength": 1, "description": "A node of the target, or a service."},
        "labels": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
    }
    series = {
        "title": "a number of the target's",
        **_section({**asked, **bounds, **more}, ("metric", "of")),
        **one_bound,
    }
    return {"oneOf": [*events, gauge, series]}


def _event(kind: EventKind, more: Mapping[str, Any]) -> dict[str, Any]:
    filters = {
        key: {"type": ["string", "integer"]} if words is None else {"enum": list(words)}
        for key, words in kind.filters.items()
    }
    count = {"type": "integer", "minimum": 1, "description": "3 is the third; 1 if not given."}
    properties = {"event": {"const": kind.name}, "count": count, **filters, **more}
    return {"title": kind.name, "description": kind.summary, **_section(properties, ("event",))}


def _duration(description: str) -> dict[str, Any]:
    return {"type": "string", "pattern": DURATION, "description": description}


def _value(spec: FieldSpec) -> dict[str, Any]:
    values: Mapping[str, dict[str, Any]] = {
        "whole": {"type": "integer", "minimum": int(spec.least)},
        "number": {"type": "number", "minimum": int(spec.least), "maximum": spec.most},
        "text": {"type": "string", "minLength": 1},
        "truth": {"type": "boolean"},
        "choice": {"enum": list(spec.choices)},
        "rate": {"type": "string", "pattern": RATE},
        "texts": {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean"]},
            "minProperties": 1,
        },
        "names": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    }
    default = {} if spec.required or spec.default is None else {"default": spec.default}
    return {**values[spec.kind], **default}


def _expect(invariants: Collection[str], windows: Collection[str]) -> dict[str, Any]:
    chosen = {"type": "array", "items": {"enum": sorted(invariants)}, "uniqueItems": True}
    window = _section(
        {"name": {"enum": sorted(windows)}, "at_least": {"type": "integer", "minimum": 1}},
        ("name", "at_least"),
    )
    count = {"type": "integer", "minimum": 0}
    return _section(
        {
            "invariants": {"anyOf": [{"const": "all"}, chosen]},
            "slo": _section({name: {"type": "string", "pattern": BOUND} for name in SLOS}),
            "windows": {"type": "array", "items": window},
            "min_ok": count,
            "min_ops_in_fault": count,
            "min_ok_in_fault": count,
        }
    )
