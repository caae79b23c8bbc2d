"""psp/journal.jsonl -> Psp: verifies the hash chain and keeps the captures, in one streaming pass.

Each line is `<sha256 of previous hash + json> <json>`, all hashes in hex; the first line follows
64 zeros.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from paydrill.evidence.saved_cards import SavedCards
from paydrill.guards.facts import Capture, Psp, PspCall
from paydrill.guards.lines import Line, LineCount, boolean, integer, parse, raw_lines, rows, text

GENESIS = b"0" * 64
HASH_BYTES = 64


@dataclass
class _Answers:
    t_ns: dict[str, int] = field(default_factory=dict)
    delivered: dict[str, bool] = field(default_factory=dict)


@dataclass
class _Reading:
    captures: list[tuple[Capture, str]] = field(default_factory=list)
    calls: dict[str, PspCall] = field(default_factory=dict)
    answers: _Answers = field(default_factory=_Answers)


def read_psp(path: Path, freeze_n: int | None, cards: SavedCards | None = None) -> Psp:
    """Read the journal; `freeze_n` is the line whose hash was noted when the PSP was frozen.

    cards: say whose the charges of saved cards are
    """
    count, reading, cards = LineCount(), _Reading(), cards or SavedCards.of(())
    previous, broken, freeze_hash, lines = GENESIS, "", None, 0
    for raw in raw_lines(path, count):
        lines += 1
        line = parse(raw[HASH_BYTES + 1 :])
        if not broken:
            broken = _link_fault(raw, previous, lines, line)
        previous = raw[:HASH_BYTES]
        if line is not None:
            if integer(line, "n") == freeze_n and freeze_n is not None:
                freeze_hash = previous.decode("ascii", "replace")
            _take(line, reading, cards)
    return Psp(
        present=path.exists(),
        lines=lines,
        broken=broken,
        freeze_hash=freeze_hash,
        captures=tuple(_known(capture, req, reading.answers, cards) for capture, req in reading.captures),
        calls=tuple(call._replace(token=cards.token(call.pi, call.token)) for call in reading.calls.values()),
    )


def _link_fault(raw: bytes, previous: bytes, number: int, line: Line | None) -> str:
    """What is wrong with this link of the chain; empty when it verifies."""
    body = raw[HASH_BYTES + 1 :]
    if raw[:HASH_BYTES] != hashlib.sha256(previous + body).hexdigest().encode():
        return f"line {number} does not hash to what it says"
    if line is None:
        return f"line {number} is not JSON"
    if integer(line, "n") != number:
        return f"line {number} has n {integer(line, 'n')}"
    return ""


def _take(line: Line, reading: _Reading, cards: SavedCards) -> None:
    kind = text(line, "kind")
    if kind == "request":
        call = PspCall(integer(line, "t") or 0, text(line, "op"), integer(line, "token"), text(line, "pi"))
        reading.calls[_ref(line, "req")] = call
    elif kind == "answer":
        req = _ref(line, "req")
        reading.answers.t_ns[req] = integer(line, "t") or 0
        reading.answers.delivered[req] = boolean(line, "delivered") is not False
    elif kind == "effect":
        for effect in rows(line, "effects"):
            amount = integer(effect, "amount") or 0
            named = text(effect, "pi"), integer(effect, "token"), text(effect, "kind")
            cards.effect(*named, amount, text(effect, "currency"))
            if text(effect, "kind") == "capture" and text(effect, "status", "done") == "done":
                capture = _capture(line, effect)
                reading.captures.append((capture, _ref(line, "req")))


def _capture(line: Line, effect: Line) -> Capture:
    return Capture(
        eff=_ref(effect, "eff"),
        t_ns=integer(line, "t") or 0,
        token=integer(effect, "token"),
        pi=text(effect, "pi"),
        answer_ns=None,
        delivered=False,
    )


def _known(capture: Capture, req: str, answers: _Answers, cards: SavedCards) -> Capture:
    """With what was only known later: its answer, and whose it is."""
    return capture._replace(
        token=cards.token(capture.pi, capture.token),
        answer_ns=answers.t_ns.get(req),
        delivered=answers.delivered.get(req, False),
    )


def _ref(line: Line, key: str) -> str:
    """Ids are integers or strings; compared as text."""
    value = line.get(key)
    return str(value) if isinstance(value, int | str) else ""
