"""`psp/journal.jsonl` -> psp_effect, psp_request, webhook: the truth about money.

The journal is complete when its hash chain verifies and the head that the harness wrote down at the
freeze stands where it stood then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from paydrill.evidence.json_lines import JsonObject, number
from paydrill.evidence.parts import Part, Reading
from paydrill.evidence.schema import tables
from paydrill.evidence.typed_rows import TypedRows, capitals
from paydrill.psp.chain import ChainBroken, walk

PSP_NAME = "psp"


@dataclass
class JournalLines:
    """The verified lines of a journal. `trouble` says where verification ended early."""

    objects: list[JsonObject] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    trouble: str | None = None


def read_journal_lines(path: Path) -> JournalLines:
    """Lines up to the first one that the chain does not vouch for. Raises OSError only."""
    lines = JournalLines()
    try:
        for link in walk(path):
            parsed = orjson.loads(link.json)
            if not isinstance(parsed, dict):
                raise ChainBroken(len(lines.objects) + 1, "is not a JSON object")
            lines.objects.append(parsed)
            lines.digests.append(link.digest)
    except (ChainBroken, orjson.JSONDecodeError) as error:
        lines.trouble = str(error)
    return lines


def parts_from_psp(path: Path, timeline: Iterable[JsonObject]) -> list[Part]:
    """Parts for psp_effect, psp_request and webhook; none when there is no journal."""
    if not path.exists():
        return []
    lines = read_journal_lines(path)
    trouble = lines.trouble or _not_frozen(lines, timeline)
    times = [t for line in lines.objects if isinstance(t := line.get("t"), int)]
    typed = (_effects(lines.objects), _requests(lines.objects), _webhooks(lines.objects))
    return [
        Part(
            rows,
            Reading(
                rows.table.name, PSP_NAME, 0, min(times, default=0), max(times, default=0), True, trouble
            ),
        )
        for rows in typed
    ]


def _not_frozen(lines: JournalLines, timeline: Iterable[JsonObject]) -> str | None:
    """Why the journal cannot be taken for whole, compared with the freeze in the time line."""
    freezes = [line for line in timeline if line.get("kind") == "psp_freeze"]
    if not freezes:
        return "the PSP was never frozen: more may have happened than was read"
    count, head = freezes[-1].get("n"), freezes[-1].get("head")
    if type(count) is not int or not 1 <= count <= len(lines.digests):
        return f"the journal has {len(lines.digests)} lines, at the freeze it had {count}"
    if head != lines.digests[count - 1]:
        return f"line {count} of the journal is not the one that was there at the freeze"
    return None


def _effects(lines: Iterable[JsonObject]) -> TypedRows:
    rows = TypedRows(tables()["psp_effect"])
    for line in lines:
        effects = line.get("effects") if line.get("kind") == "effect" else None
        for effect in effects if isinstance(effects, list) else ():
            if isinstance(effect, dict):
                rows.add(_effect(effect, line))
            else:
                rows.reject(f"effect {effect!r} is not an object")
    return rows


def _effect(effect: JsonObject, line: JsonObject) -> Mapping[str, object]:
    return {
        **{name: effect.get(name) for name in ("eff", "pi", "token", "kind", "by_psp", "status", "amount")},
        "psp": PSP_NAME,
        "token_wire": effect.get("payment_method"),
        "currency": capitals(effect.get("currency")),
        "req": line.get("req"),
        "t_ns": line.get("t"),
    }


def _requests(lines: Iterable[JsonObject]) -> TypedRows:
    rows = TypedRows(tables()["psp_request"])
    objects = list(lines)
    answers = {number(line, "req"): line for line in objects if line.get("kind") == "answer"}
    for line in objects:
        if line.get("kind") == "request":
            rows.add(_request(line, answers.get(number(line, "req"), {})))
    return rows


def _request(line: JsonObject, answer: JsonObject) -> Mapping[str, object]:
    received = line.get("t_recv")
    return {
        **{
            name: line.get(name)
            for name in ("req", "op", "money", "idem_key", "body", "token", "pi", "decision")
        },
        **{name: answer.get(name) for name in ("status", "delivered", "stopped_by")},
        "psp": PSP_NAME,
        "t_edge_ns": None,
        "t_recv_ns": received if received is not None else line.get("t"),
        "t_ans_ns": answer.get("t"),
    }


def _webhooks(lines: Iterable[JsonObject]) -> TypedRows:
    rows = TypedRows(tables()["webhook"])
    for line in lines:
        if line.get("kind") == "webhook":
            rows.add({**line, "t_sent_ns": line.get("t_sent"), "t_ack_ns": line.get("t_ack")})
    return rows
