"""Stripe's search language, a part of it: `metadata['k']:'v' AND status:'succeeded' AND amount>100` (pure)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from paydrill.psp.refusals import Refusal, bad_parameter
from paydrill.psp.shapes import charge_status
from paydrill.psp.state import Charge, Intent

_CLAUSE = re.compile(
    r"""\s*(?P<no>-?)(?P<field>[a-z_]+)(?:\[(?P<q>['"])(?P<key>(?:\\.|(?!(?P=q)).)*)(?P=q)\])?"""
    r"""\s*(?P<op>:|>=|<=|>|<)\s*"""
    r"""(?:(?P<q2>['"])(?P<text>(?:\\.|(?!(?P=q2)).)*)(?P=q2)|(?P<number>-?[0-9]+)|(?P<null>null))\s*"""
)
_AND = re.compile(r"(?:AND\b|and\b)")
_NUMBERS: Mapping[str, Callable[[int, int], bool]] = {
    ":": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}

Found: TypeAlias = Intent | Charge
Predicate: TypeAlias = Callable[[Found], bool]


@dataclass(frozen=True)
class _Clause:
    negated: bool
    field: str
    key: str | None
    op: str
    text: str | None
    number: int | None


def parse(query: str) -> Predicate:
    """What fits all clauses of a query. Raises Refusal (400)."""
    tests = [_test(clause) for clause in _clauses(query)]
    return lambda item: all(test(item) for test in tests)


def _clauses(query: str) -> list[_Clause]:
    clauses, place = [], 0
    while True:
        found = _CLAUSE.match(query, place)
        if found is None:
            raise _wrong(query)
        number = found["number"]
        clauses.append(
            _Clause(
                bool(found["no"]),
                found["field"],
                _plain(found["key"]),
                found["op"],
                _plain(found["text"]),
                int(number) if number is not None else None,
            )
        )
        place = found.end()
        if place == len(query):
            return clauses
        joint = _AND.match(query, place)
        if joint is None:
            raise _wrong(query)
        place = joint.end()


def _test(clause: _Clause) -> Predicate:
    fits = _positive(clause)
    return (lambda item: not fits(item)) if clause.negated else fits


def _positive(clause: _Clause) -> Predicate:
    if clause.field in _WHOLE:
        if clause.number is None or clause.key is not None:
            raise bad_parameter(f"Invalid search: {clause.field} takes a whole number.", "query")
        value, compare, number = _WHOLE[clause.field], _NUMBERS[clause.op], clause.number
        return lambda item: compare(value(item), number)
    if clause.op != ":":
        raise bad_parameter(f"Invalid search: {clause.field} cannot be compared by {clause.op}", "query")
    wanted = str(clause.number) if clause.number is not None else clause.text
    if clause.field == "metadata" and clause.key is not None:
        key = clause.key
        return lambda item: item.metadata.get(key) == wanted
    if clause.field in _TEXTS and clause.key is None:
        text = _TEXTS[clause.field]
        return lambda item: text(item) == wanted
    known = ", ".join((*_TEXTS, *_WHOLE, "metadata['key']"))
    raise bad_parameter(
        f"Field `{clause.field}` is an unsupported search field; known are: {known}.", "query"
    )


def _customer(item: Found) -> str | None:
    customer = item.echoed.get("customer")
    return customer if isinstance(customer, str) else None


def _status(item: Found) -> str:
    return item.status if isinstance(item, Intent) else charge_status(item)


_TEXTS: Mapping[str, Callable[[Found], str | None]] = {
    "status": _status,
    "currency": lambda item: item.currency,
    "customer": _customer,
}
_WHOLE: Mapping[str, Callable[[Found], int]] = {
    "amount": lambda item: item.amount,
    "created": lambda item: item.created,
}


def _plain(text: str | None) -> str | None:
    return re.sub(r"\\(.)", r"\1", text) if text is not None else None


def _wrong(query: str) -> Refusal:
    return bad_parameter(
        f"We were unable to parse your search query: {query[:200]}. Clauses such as status:'succeeded' are "
        "joined by AND.",
        "query",
    )
