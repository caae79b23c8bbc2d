"""`history-*.jsonl` -> intent, intent_token, op: what clients did and saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from paydrill.evidence.json_lines import JsonLines, JsonObject, number, read_json_lines, span
from paydrill.evidence.parts import Part, Reading
from paydrill.evidence.run_info import RunInfo
from paydrill.evidence.schema import tables
from paydrill.evidence.typed_rows import TypedRows, capitals

_OUTCOMES = frozenset({"ok", "fail", "info"})


def parts_from_history(files: Iterable[Path], info: RunInfo) -> list[Part]:
    """Parts for intent, intent_token and op; none when there is no history at all."""
    read = {path: read_json_lines(path) for path in files}
    lines = [line for each in read.values() for line in each.objects]
    if not read:
        return []
    trouble = "; ".join(text for path, each in read.items() if (text := _gap(path.name, each))) or None
    first_ns, last_ns = span(line.get("t") for line in lines)
    by_kind = _by_kind(lines)
    typed = (_intents(by_kind), _tokens(by_kind), _ops(by_kind, info))
    return [
        Part(
            rows,
            Reading(rows.table.name, "history", 0, first_ns, last_ns, True, trouble),
        )
        for rows in typed
    ]


def _gap(name: str, lines: JsonLines) -> str | None:
    """Why a history file is not whole: a torn or foreign line, a missing number, no end."""
    if lines.torn or lines.malformed:
        return f"{name}: {lines.malformed} lines are not JSON, last line torn: {lines.torn}"
    numbers = sorted(seq for line in lines.objects if isinstance(seq := line.get("seq"), int))
    if numbers != list(range(len(lines.objects))):
        return f"{name}: sequence numbers are not 0…{len(lines.objects) - 1}"
    if not any(line.get("kind") == "end" for line in lines.objects):
        return f"{name}: no `end` line, its writer did not finish"
    return None


def _by_kind(lines: Iterable[JsonObject]) -> Mapping[str, list[JsonObject]]:
    kinds: dict[str, list[JsonObject]] = {
        kind: [] for kind in ("intent", "token", "invoke", "return", "drop", "done")
    }
    for line in lines:
        kind = line.get("kind")
        if isinstance(kind, str) and kind in kinds:
            kinds[kind].append(line)
    return kinds


def _intents(by_kind: Mapping[str, list[JsonObject]]) -> TypedRows:
    rows = TypedRows(tables()["intent"])
    dropped = {number(line, "intent") for line in by_kind["drop"]}
    done = {number(line, "intent"): line for line in by_kind["done"]}
    for line in by_kind["intent"]:
        finished = done.get(number(line, "intent"), {})
        rows.add(
            {
                **line,
                "currency": capitals(line.get("currency")),
                "t_ns": line.get("t"),
                "due_ns": line.get("due"),
                "dropped": number(line, "intent") in dropped,
                "done_ns": finished.get("t"),
                "done_outcome": finished.get("outcome"),
            }
        )
    return rows


def _tokens(by_kind: Mapping[str, list[JsonObject]]) -> TypedRows:
    rows = TypedRows(tables()["intent_token"])
    for line in by_kind["token"]:
        currency = capitals(line.get("currency"))
        rows.add({**line, "currency": currency, "issued_ns": line.get("t"), "revoked_ns": None})
    return rows


def _ops(by_kind: Mapping[str, list[JsonObject]], info: RunInfo) -> TypedRows:
    rows = TypedRows(tables()["op"])
    returns: dict[int, JsonObject] = {}
    for line in by_kind["return"]:
        op = number(line, "op")
        if op in returns:
            rows.reject(f"op {op} returns twice")
        returns.setdefault(op, line)
    for invoke in by_kind["invoke"]:
        rows.add(_op(invoke, returns.pop(number(invoke, "op"), {}), info))
    for op in returns:
        rows.reject(f"op {op} returns and was never invoked")
    return rows


def _op(invoke: JsonObject, answer: JsonObject, info: RunInfo) -> Mapping[str, object]:
    """One row: what was sent, and what came back. An answer with a foreign outcome is info."""
    outcome = answer.get("outcome")
    kind = invoke.get("op_kind")
    return {
        **{
            name: answer.get(name)
            for name in ("status", "err", "code", "said", "said_amount", "said_version", "resp", "node")
        },
        **{
            name: invoke.get(name)
            for name in (
                "op",
                "intent",
                "caller",
                "route",
                "idem_key",
                "body",
                "token",
                "amount",
                "try_no",
                "refund_ref",
            )
        },
        "kind": kind,
        "order_ref": invoke.get("order_ref") or answer.get("order_ref"),
        "currency": capitals(invoke.get("currency")),
        "due_ns": invoke.get("due"),
        "t_inv_ns": invoke.get("t"),
        "t_ret_ns": answer.get("t"),
        "outcome": outcome if isinstance(outcome, str) and outcome in _OUTCOMES else "info",
        "executed": answer.get("executed") is True,
        "said_class": info.said_class(str(kind), answer.get("said")),
        "said_paid": outcome == "ok" and info.said_paid(str(kind), answer.get("status"), answer.get("said")),
        "said_currency": capitals(answer.get("said_currency")),
        "strong": invoke.get("strong") is True,
        "replayed": answer.get("replayed") is True if answer else None,
    }
