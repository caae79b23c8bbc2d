"""The `client:` block of a target: its public API as a customer sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from paydrill.target import DECIMAL, Client, Outcome, OutcomeRule, Party, Request
from paydrill.yaml_fields import Field, Section
from paydrill.yaml_source import YamlList, YamlMap, YamlNode, shown

KINDS = ("create", "pay", "cancel", "refund", "operator_refund", "challenge", "read", "find", "final")
NEEDED = ("create", "pay", "read")
PARTIES = ("target", "psp")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
FACTS = ("order_ref", "said", "state", "amount", "currency", "version", "code", "challenge")
OUTCOMES = ("ok", "fail", "info")
TRANSPORT = ("timeout", "refused", "reset", "eof", "garbled", "stopped", "unparsable")
_STATUS = re.compile(r"[1-5](\d\d|xx)")


def read_client(field: Field) -> Client | None:
    """The client, its mistakes noted."""
    section = field.section(("requests", "outcomes", "paid_states", "failed_states", "retry_codes"))
    requests, outcomes = section.require("requests"), section.require("outcomes")
    return Client(
        requests=_requests(requests) if requests else {},
        outcomes=tuple(_outcome(item) for item in outcomes.items()) if outcomes else (),
        paid_states=_words(section.get("paid_states")),
        failed_states=_words(section.get("failed_states")),
        retry_codes=_words(section.get("retry_codes")),
    )


def _requests(field: Field) -> Mapping[str, Request]:
    section = field.section(KINDS)
    for kind in NEEDED:
        section.require(kind, f"{kind}: {{method: POST, path: /v1/…}}")
    return {kind: read_request(kind, one) for kind, one in section if kind in KINDS}


def read_request(kind: str, field: Field) -> Request:
    """One request, its mistakes noted."""
    section = field.section(("method", "path", "body", "headers", "answer", "strong", "at"))
    method, path = section.require("method"), section.require("path")
    body, headers, strong = section.get("body"), section.get("headers"), section.get("strong")
    at = section.get("at")
    url = path.url_path(" on the target", limit=500) if path else None
    truth = strong.boolean() if strong else True
    return Request(
        kind=kind,
        method=(method.choice("method", METHODS) if method else None) or "GET",
        path=url or "/",
        body=_json_map(body) if body else None,
        headers=_headers(headers) if headers else {},
        answer=_answer(section),
        strong=truth is not False,
        at=cast("Party", (at.choice("party", PARTIES) if at else None) or "target"),
    )


def _headers(field: Field) -> Mapping[str, str]:
    found: dict[str, str] = {}
    section = field.section(None)
    for name, one in section:
        if not re.fullmatch(r"[A-Za-z0-9-]{1,80}", name):
            section.key_wrong(name, f"{shown(name)} is not the name of a header")
        text = one.scalar_text()
        if text is not None:
            found[name] = text
    return found


def _answer(section: Section) -> Mapping[str, str]:
    field = section.get("answer")
    if field is None:
        return {}
    facts = field.section(FACTS)
    pairs = ((fact, one.scalar_text()) for fact, one in facts)
    paths = {fact: path for fact, path in pairs if path is not None}
    for fact, one in facts:
        place, bar, form = paths.get(fact, "").partition("|")
        if bar and (fact != "amount" or form.strip() != DECIMAL):
            one.wrong(f"only an amount is read in another form, and only as {place.strip()} | {DECIMAL}")
        elif bar and "currency" not in paths:
            one.wrong("a decimal amount means nothing without its currency: say where the answer has it")
    return paths


def _outcome(field: Field) -> OutcomeRule:
    section = field.section(("status", "outcome", "code", "kind", "executed"))
    status, outcome = section.require("status"), section.require("outcome")
    code, kind, executed = section.get("code"), section.get("kind"), section.get("executed")
    word = status.scalar_text() if status else None
    if status and word and word not in TRANSPORT and not _STATUS.fullmatch(word):
        status.unknown("status", word, (*TRANSPORT, "200", "5xx"))
    return OutcomeRule(
        status=word or "",
        outcome=cast("Outcome", (outcome.choice("outcome", OUTCOMES) if outcome else None) or "info"),
        code=code.scalar_text() if code else None,
        kind=kind.choice("kind of request", KINDS) if kind else None,
        executed=bool(executed and executed.boolean()),
    )


def _words(field: Field | None) -> tuple[str, ...]:
    items = (item.scalar_text() for item in field.items()) if field else ()
    return tuple(word for word in items if word is not None)


def _json_map(field: Field) -> Mapping[str, object]:
    section = field.section(None)
    return {key: _json(one.node) for key, one in section}


def _json(node: YamlNode) -> Any:
    """The value as the body's JSON will have it; texts may hold templates."""
    if isinstance(node, YamlMap):
        return {key: _json(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, YamlList):
        return [_json(item) for item in node.items]
    return node.value
