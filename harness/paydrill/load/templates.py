"""The target's request templates, compiled once and filled in per operation (pure).

A text that is one single `{{ expression }}` keeps the value's type; any other text becomes a string.
Plain names such as `intent.amount` are read directly; other expressions go through sandboxed Jinja2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import orjson
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from paydrill.currencies import as_decimal
from paydrill.errors import UsageError
from paydrill.load.customers import Operator
from paydrill.load.intents import Intent
from paydrill.target import DECIMAL, Request

_HOLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PLAIN_NAME = re.compile(r"\s*(intent|op|operator)\.([a-z][a-z_0-9]*)\s*")


@dataclass(frozen=True, slots=True)
class Op:
    """What templates see as `op`. `token` is the wire form; amounts are minor units.

    refund_ref: the name that the asker gives a refund: asking again by the same name is the same refund
    operator:   who of the support asks, where it is not the customer; templates see it as `operator`
    """

    kind: str
    key: str
    try_no: int = 1
    token: str | None = None
    amount: int | None = None
    currency: str | None = None
    reason: str | None = None
    refund_ref: str | None = None
    operator: Operator | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A request ready to be sent; sending it again sends the same bytes."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    body_hash: str | None

    @property
    def route(self) -> str:
        """Method and path without its query: with caller and key, the scope of an idempotency key."""
        return f"{self.method} {self.path.partition('?')[0]}"


Fill = Callable[[Intent, Op], Any]
_SCOPES: Mapping[str, type] = {"intent": Intent, "op": Op, "operator": Operator}


class CompiledRequest:
    """One `Request` with its templates compiled. Raises UsageError for a template that is wrong."""

    def __init__(self, request: Request) -> None:
        self.request = request
        where = f"client.requests.{request.kind}"
        self._path = _text(request.path, f"{where}.path", escape=True)
        self._headers = [(k, _text(v, f"{where}.headers.{k}")) for k, v in request.headers.items()]
        self._body = None if request.body is None else _tree(request.body, f"{where}.body")

    def render(self, intent: Intent, op: Op) -> Rendered:
        """Fill in. Raises UsageError when a template asks for what is not there."""
        headers = {name: fill(intent, op) for name, fill in self._headers}
        body = None
        if self._body is not None:
            body = orjson.dumps(self._body(intent, op) or {})
            headers.setdefault("Content-Type", "application/json")
        return Rendered(
            method=self.request.method,
            path=self._path(intent, op),
            headers=headers,
            body=body,
            body_hash=None if body is None else sha256(body).hexdigest()[:16],
        )


def _tree(value: object, where: str) -> Fill:
    """A filler for a JSON value of any depth."""
    if isinstance(value, str):
        return _value(value, where)
    if isinstance(value, Mapping):
        fields = [(str(name), _tree(inner, f"{where}.{name}")) for name, inner in value.items()]
        return lambda intent, op: _present(fields, intent, op)
    if isinstance(value, list | tuple):
        rows = [_tree(inner, f"{where}.{index}") for index, inner in enumerate(value)]
        return lambda intent, op: [fill(intent, op) for fill in rows]
    return lambda _intent, _op: value


def _present(fields: list[tuple[str, Fill]], intent: Intent, op: Op) -> dict[str, Any] | None:
    """What is null is left out; a map that nothing is left of is null itself."""
    filled = {name: value for name, fill in fields if (value := fill(intent, op)) is not None}
    return filled if filled or not fields else None


def _value(text: str, where: str) -> Fill:
    """A filler that keeps the type when the text is one single expression."""
    before, *holes_and_texts = _HOLE.split(text.strip())
    match holes_and_texts:
        case [source, ""] if not before:
            return _expression(source, where)
        case _:
            return _text(text, where)


def _text(text: str, where: str, escape: bool = False) -> Fill:
    """A filler that yields a string; `escape` quotes the values for use in a path."""
    parts: list[str | Fill] = []
    for index, part in enumerate(_HOLE.split(text)):
        if index % 2:
            parts.append(_expression(part, where))
        elif part:
            parts.append(part)

    def fill(intent: Intent, op: Op) -> str:
        done = ""
        for part in parts:
            if isinstance(part, str):
                done += part
            else:
                value = part(intent, op)
                if value is None:
                    raise UsageError(
                        f"{where}: {text!r} asks for something that this {op.kind} does not have"
                    )
                done += quote(str(value), safe="") if escape else str(value)
        return done

    return fill


def _expression(source: str, where: str) -> Fill:
    if plain := _PLAIN_NAME.fullmatch(source):
        return _plain_name(plain[1], plain[2], where)
    try:
        compiled = _environment().compile_expression(source, undefined_to_none=False)
    except TemplateError as error:
        raise UsageError(f"{where}: {{{{{source}}}}} is not a Jinja2 expression: {error}") from error

    def fill(intent: Intent, op: Op) -> Any:
        try:
            value = compiled(intent=intent, op=op, operator=op.operator)
        except TemplateError as error:
            raise UsageError(f"{where}: {{{{{source}}}}}: {error}") from error
        if isinstance(value, StrictUndefined):
            raise UsageError(f"{where}: {{{{{source}}}}} is undefined")
        return value

    return fill


def _plain_name(scope: str, name: str, where: str) -> Fill:
    known = _SCOPES[scope]
    if not hasattr(known, name):
        raise UsageError(f"{where}: {scope}.{name} is not known; expected one of {_names(known)}")
    if scope == "intent":
        return lambda intent, _op: getattr(intent, name)
    if scope == "operator":
        return lambda _intent, op: None if op.operator is None else getattr(op.operator, name)
    return lambda _intent, op: getattr(op, name)


def _names(known: type) -> str:
    return ", ".join(sorted(name for name in dir(known) if not name.startswith("_")))


def _decimal(minor: object, currency: object) -> str:
    """`{{ op.amount | decimal(op.currency) }}`: 1234 EUR is written `12.34`."""
    if not isinstance(minor, int) or not isinstance(currency, str):
        raise UsageError(f"decimal: expected minor units and their currency, got {minor!r} and {currency!r}")
    return as_decimal(minor, currency)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    environment.filters[DECIMAL] = _decimal
    return environment
