"""Form bodies and query strings as Stripe's SDKs send them: `metadata[a]=b&expand[0]=x&expand[]=y`.

`decode` makes a tree of them; `Fields` reads one endpoint's parameters out of the tree and refuses
what that endpoint does not know, with Stripe's error codes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import TypeAlias
from urllib.parse import parse_qsl

import orjson

from paydrill.psp.refusals import bad_parameter

Value: TypeAlias = "str | list[Value] | dict[str, Value]"
Form: TypeAlias = dict[str, Value]

_MAX_PARAMETERS = 1000
_MAX_METADATA = 50
_MAX_METADATA_KEY = 40
_MAX_METADATA_VALUE = 500


def decode(text: str) -> Form:
    """The tree of a form. Raises Refusal (400) when it is not one."""
    tree: Form = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS, errors="strict")
    except ValueError:
        raise bad_parameter("Invalid request body: it is not a form.", param=None) from None
    for name, value in pairs:
        _insert(tree, _path(name), value)
    return {name: _lists(value) for name, value in tree.items()}


def fingerprint(form: Form) -> str:
    """A hash of the parsed parameters: equal whatever their order or encoding was."""
    return hashlib.sha256(orjson.dumps(form, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _path(name: str) -> list[str]:
    head, bracket, rest = name.partition("[")
    if not bracket or not rest.endswith("]"):
        return [name]
    return [head, *rest[:-1].split("][")]


def _insert(tree: Form, path: list[str], value: str) -> None:
    for depth, step in enumerate(path[:-1]):
        below = tree.setdefault(_slot(tree, step), {})
        if not isinstance(below, dict):
            raise bad_parameter(
                f"Invalid object: {path[0]} is given in two forms.", param=".".join(path[: depth + 1])
            )
        tree = below
    tree[_slot(tree, path[-1])] = value


def _slot(tree: Form, step: str) -> str:
    """`[]` means the next free index."""
    return step if step else str(len(tree))


def _lists(value: Value) -> Value:
    """Objects whose keys are all numbers are lists."""
    if not isinstance(value, dict):
        return value
    below = {key: _lists(item) for key, item in value.items()}
    if below and all(key.isdecimal() for key in below):
        return [below[key] for key in sorted(below, key=int)]
    return below


class Fields:
    """The parameters of one call. Every reader raises Refusal (400) naming the parameter."""

    def __init__(self, form: Form, known: Collection[str]) -> None:
        self._form = form
        for name in form:
            if name not in known:
                raise bad_parameter(f"Received unknown parameter: {name}", name, "parameter_unknown")

    def given(self, name: str) -> bool:
        return name in self._form

    def text(self, name: str) -> str | None:
        """None when it is absent or empty (an empty string unsets a field)."""
        value = self._form.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise bad_parameter(f"Invalid string: {value}", name)
        return value

    def required(self, name: str) -> str:
        if name not in self._form:
            raise bad_parameter(f"Missing required param: {name}.", name, "parameter_missing")
        value = self.text(name)
        if value is None:
            message = (
                f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
                f"parameter; however '{name}' cannot be unset."
            )
            raise bad_parameter(message, name, "parameter_invalid_empty")
        return value

    def whole(self, name: str) -> int | None:
        """A whole number, or None when it is absent."""
        value = self.text(name)
        if value is None:
            return None
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
            raise bad_parameter(f"Invalid integer: {value}", name, "parameter_invalid_integer")
        return int(value)

    def flag(self, name: str) -> bool:
        value = self.text(name)
        if value not in (None, "true", "false"):
            raise bad_parameter(f"Invalid boolean: {value}", name)
        return value == "true"

    def choice(self, name: str, options: Collection[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in options:
            raise bad_parameter(f"Invalid {name}: must be one of {', '.join(options)}", name)
        return value

    def tree(self, name: str) -> Value | None:
        """Whatever was given, unread: for parts that are only echoed."""
        return self._form.get(name) or None

    def names(self, name: str) -> tuple[str, ...]:
        """A list of strings; empty when absent."""
        value = self._form.get(name)
        if value in (None, ""):
            return ()
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(str(item) for item in value)
        raise bad_parameter(f"Invalid array: {name}", name)

    def metadata(self, before: Mapping[str, str]) -> Mapping[str, str]:
        """`before` with the given keys set, and those given as empty strings removed."""
        value = self._form.get("metadata")
        if value == "":
            return {}
        if value is None:
            return before
        after = dict(before)
        for key, item in _items(value):
            _check_metadata(key, item)
            after[key] = item
        after = {key: item for key, item in after.items() if item}
        if len(after) > _MAX_METADATA:
            raise bad_parameter(f"Metadata can have up to {_MAX_METADATA} keys.", "metadata")
        return after


def _items(value: Value) -> list[tuple[str, str]]:
    if isinstance(value, list):
        value = {str(index): item for index, item in enumerate(value)}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise bad_parameter("Invalid object: metadata takes strings by key.", "metadata")
    return [(key, str(item)) for key, item in value.items()]


def _check_metadata(key: str, item: str) -> None:
    if len(key) > _MAX_METADATA_KEY:
        raise bad_parameter(
            f"Metadata keys can have up to {_MAX_METADATA_KEY} characters.", f"metadata[{key}]"
        )
    if len(item) > _MAX_METADATA_VALUE:
        raise bad_parameter(
            f"Metadata values can have up to {_MAX_METADATA_VALUE} characters.", f"metadata[{key}]"
        )
