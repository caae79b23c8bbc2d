"""The fields of a fault's dataclass, as keys of a scenario's step."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from paydrill.faults import Fault
from paydrill.topology import Topology, UnknownPlace
from paydrill.yaml_fields import Field, Section, nearest, one_of
from paydrill.yaml_source import YamlList

Kind = Literal["whole", "number", "text", "truth", "choice", "rate", "names"]
RATE_FIELD = "rate_per_s"
UNITS = {
    "_kb_s": "kB/s",
    "_bytes_per_s": "bytes/s",
    "_per_s": "/s",
    "_bytes": "bytes",
    "_ms": "ms",
    "_us": "µs",
    "_s": "s",
    "copies": "×",
}
"""How a field's name ends -> its unit."""
MOST = 1_000_000_000


@dataclass(frozen=True)
class FieldSpec:
    """One field: `key` in YAML, `name` in Python (`from_` is the key `from`). `choices` only for kind `choice`."""

    key: str
    name: str
    kind: Kind
    required: bool
    default: object = None
    choices: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """As people write it; empty for what has none."""
        if self.name.endswith("share"):
            return "0…1"
        return next((unit for end, unit in UNITS.items() if self.name.endswith(end)), "")

    @property
    def most(self) -> float:
        """The greatest value of a number: 1 for shares."""
        return 1.0 if self.name.endswith("share") or self.name == "toxicity" else float(MOST)


def specs_of(fault: type[Fault]) -> tuple[FieldSpec, ...]:
    """Every field of the fault's dataclass, in its order. Raises TypeError for a type it cannot be read as."""
    hints = typing.get_type_hints(fault)
    fields = dataclasses.fields(cast("Any", fault))
    return tuple(_spec(field, hints[field.name]) for field in fields if field.init)


def read_fault(step: Section, fault: type[Fault], reserved: tuple[str, ...]) -> Fault | None:
    """The fault of a step, or None with its mistakes noted. `reserved` are the step's own keys."""
    specs = specs_of(fault)
    step.refuse_unknown([*reserved, *(spec.key for spec in specs)])
    values: dict[str, object] = {}
    whole = True
    for spec in specs:
        field = step.require(spec.key) if spec.required else step.get(spec.key)
        value = None if field is None else _read(field, spec)
        if value is not None:
            values[spec.name] = value
        whole = whole and (value is not None or (field is None and not spec.required))
    if not whole:
        return None
    try:
        return cast("Fault", cast("Any", fault)(**values))
    except ValueError as error:
        step.key_wrong("fault", str(error))
        return None


def places_of(step: Section, fault: Fault, topology: Topology) -> tuple[str, ...]:
    """What the fault hits; an unknown node or edge, or one that it may not hit, is noted and gives nothing."""
    try:
        return fault.places(topology)
    except UnknownPlace as error:
        key = next((key for key, field in step if _is_text(field, error.place)), "fault")
        known = topology.edge_names() if "->" in error.place else _node_names(topology)
        near = error.suggestion or nearest(error.place, known)
        field = step.get(key)
        if field is not None:
            what = f"{error.place!r} is not in the topology {topology.name}"
            field.wrong(what if near else f"{what}: expected {one_of(known)}", near)
        return ()
    except ValueError as error:
        step.key_wrong("fault", str(error))
        return ()


def values_of(fault: Fault) -> Mapping[str, object]:
    """The fields as Python names them, in their order."""
    named = cast("Any", fault)
    return {field.name: getattr(named, field.name) for field in dataclasses.fields(named)}


def as_written(fields: Mapping[str, object]) -> dict[str, str]:
    """Fields for people: keys as in a scenario, lists as they are written there; without what was left open."""
    return {
        name.rstrip("_"): f"[{', '.join(str(one) for one in value)}]"
        if isinstance(value, (tuple, list))
        else str(value)
        for name, value in fields.items()
        if value is not None
    }


def _node_names(topology: Topology) -> list[str]:
    return sorted({node.name for node in topology.nodes} | {node.service for node in topology.nodes})


def _is_text(field: Field, text: str) -> bool:
    if getattr(field.node, "text", None) == text:
        return True
    items = field.node.items if isinstance(field.node, YamlList) else ()
    return any(getattr(item, "text", None) == text for item in items)


def _spec(field: dataclasses.Field[Any], hint: Any) -> FieldSpec:
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    default = None if field.default is dataclasses.MISSING else field.default
    if field.name == RATE_FIELD:
        return FieldSpec("rate", field.name, "rate", required, default)
    kind, choices = _kind(hint, field.name)
    return FieldSpec(field.name.rstrip("_"), field.name, kind, required, default, choices)


def _kind(hint: Any, name: str) -> tuple[Kind, tuple[str, ...]]:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [one for one in typing.get_args(hint) if one is not type(None)]
        if len(inner) == 1:
            return _kind(inner[0], name)
    if origin is Literal:
        return "choice", tuple(str(one) for one in typing.get_args(hint))
    if origin is tuple and typing.get_args(hint) == (str, ...):
        return "names", ()
    plain: dict[Any, Kind] = {int: "whole", float: "number", str: "text", bool: "truth"}
    if hint in plain:
        return plain[hint], ()
    raise TypeError(f"the field {name!r} has a type that no scenario can give: {hint}")


def _read(field: Field, spec: FieldSpec) -> object | None:
    match spec.kind:
        case "whole":
            return field.integer(0, int(spec.most))
        case "number":
            return field.number(0, spec.most)
        case "truth":
            return field.boolean()
        case "choice":
            return field.choice(spec.key, spec.choices)
        case "rate":
            return field.rate()
        case "text":
            return field.text(limit=200)
        case "names":
            names = [item.text(limit=200) for item in field.items()]
            return tuple(names) if isinstance(field.node, YamlList) and None not in names else None
