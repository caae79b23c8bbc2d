"""history-*.jsonl -> History: one streaming pass a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from paydrill.evidence.saved_cards import SavedToken, saved_token
from paydrill.guards.facts import History, HistoryFile, IntentFact, OpFact
from paydrill.guards.lines import Line, LineCount, boolean, integer, json_lines, number, text

OUTCOMES = frozenset({"ok", "fail", "info"})
UNKNOWN_CLASS = "checkout"


@dataclass
class _Open:
    """What has been read so far, over all files."""

    ops: dict[int, OpFact] = field(default_factory=dict)
    classes: dict[int, str] = field(default_factory=dict)
    due: dict[int, int] = field(default_factory=dict)
    outcomes: dict[int, str] = field(default_factory=dict)
    checkouts: dict[int, bool] = field(default_factory=dict)
    seconds: set[int] = field(default_factory=set)
    ended: dict[int, tuple[bool, int]] = field(default_factory=dict)
    saved_tokens: list[SavedToken] = field(default_factory=list)
    duplicate_ids: int = 0
    lags_ms: list[float] = field(default_factory=list)


@dataclass
class _FileTally:
    next_seq: int = 0
    first_gap: str = ""
    ended: bool = False
    intents: int = 0
    ops: int = 0
    drops: int = 0
    returns_without_invoke: int = 0
    said_intents: int | None = None
    said_ops: int | None = None
    said_drops: int | None = None


def read_history(paths: Iterable[Path]) -> History:
    """Fold invokes and returns; an invoke without a return is info."""
    seen = _Open()
    files = tuple(_read_file(path, seen) for path in paths)
    intents = tuple(_intent(intent, due_ns, seen) for intent, due_ns in seen.due.items())
    ops = tuple(sorted(seen.ops.values(), key=lambda op: op.inv_ns))
    lag_ms = max(seen.lags_ms, default=None)
    return History(files, ops, intents, seen.duplicate_ids, lag_ms, tuple(seen.saved_tokens))


def _intent(intent: int, due_ns: int, seen: _Open) -> IntentFact:
    as_declared, signature = seen.ended.get(intent, (False, 0))
    return IntentFact(
        intent=intent,
        cls=seen.classes.get(intent, UNKNOWN_CLASS),
        due_ns=due_ns,
        outcome=seen.outcomes.get(intent, "info"),
        checkout=seen.checkouts.get(intent),
        second=intent in seen.seconds,
        as_declared=as_declared,
        signature=signature,
    )


def _read_file(path: Path, seen: _Open) -> HistoryFile:
    count, tally = LineCount(), _FileTally()
    for line in json_lines(path, count):
        _check_seq(line, tally)
        _take(line, tally, seen)
    return HistoryFile(
        name=path.name,
        lines=count.lines,
        bad=count.bad,
        first_gap=tally.first_gap,
        ended=tally.ended,
        intents=tally.intents,
        ops=tally.ops,
        drops=tally.drops,
        returns_without_invoke=tally.returns_without_invoke,
        said_intents=tally.said_intents,
        said_ops=tally.said_ops,
        said_drops=tally.said_drops,
    )


def _check_seq(line: Line, tally: _FileTally) -> None:
    seq = integer(line, "seq")
    if seq != tally.next_seq and not tally.first_gap:
        tally.first_gap = f"line {tally.next_seq + 1} has seq {seq}, expected {tally.next_seq}"
    tally.next_seq = (tally.next_seq if seq is None else seq) + 1


def _take(line: Line, tally: _FileTally, seen: _Open) -> None:
    kind = text(line, "kind")
    if kind == "invoke":
        _take_invoke(line, tally, seen)
    elif kind == "return":
        _take_return(line, tally, seen)
    elif kind == "intent":
        _take_intent(line, tally, seen)
    elif kind == "done":
        outcome = text(line, "outcome")
        seen.outcomes[_id(line, "intent")] = outcome if outcome in OUTCOMES else "info"
        as_declared, signature = boolean(line, "as_declared"), integer(line, "signature")
        seen.ended[_id(line, "intent")] = (as_declared is True, signature or 0)
    elif kind == "token":
        if saved := saved_token(line):
            seen.saved_tokens.append(saved)
    elif kind == "drop":
        _take_drop(line, tally, seen)
    elif kind == "end":
        tally.ended = True
        tally.said_intents, tally.said_ops = integer(line, "intents"), integer(line, "ops")
        tally.said_drops = integer(line, "dropped")
        lag_ms = number(line, "lag_p99_ms")
        seen.lags_ms += [] if lag_ms is None else [lag_ms]


def _take_invoke(line: Line, tally: _FileTally, seen: _Open) -> None:
    tally.ops += 1
    op, t_ns = integer(line, "op"), integer(line, "t")
    if op is None or t_ns is None or op in seen.ops:
        seen.duplicate_ids += 1
        return
    due_ns = integer(line, "due")
    seen.ops[op] = OpFact(
        op=op,
        intent=integer(line, "intent") or 0,
        kind=text(line, "op_kind"),
        token=integer(line, "token"),
        due_ns=t_ns if due_ns is None else due_ns,
        inv_ns=t_ns,
        ret_ns=None,
        outcome="info",
        status=None,
    )


def _take_return(line: Line, tally: _FileTally, seen: _Open) -> None:
    op = seen.ops.get(_id(line, "op"))
    if op is None or op.ret_ns is not None:
        tally.returns_without_invoke += 1
        return
    outcome = text(line, "outcome")
    seen.ops[op.op] = op._replace(
        ret_ns=integer(line, "t"),
        outcome=outcome if outcome in OUTCOMES else "info",
        status=integer(line, "status"),
    )


def _take_intent(line: Line, tally: _FileTally, seen: _Open) -> None:
    tally.intents += 1
    intent, due_ns = integer(line, "intent"), integer(line, "due")
    if intent is None or intent in seen.classes:
        seen.duplicate_ids += 1
        return
    seen.classes[intent] = text(line, "cls", UNKNOWN_CLASS)
    seen.due[intent] = due_ns if due_ns is not None else integer(line, "t") or 0
    if (checkout := boolean(line, "checkout")) is not None:
        seen.checkouts[intent] = checkout
    if integer(line, "arrival") not in (None, intent):
        seen.seconds.add(intent)


def _take_drop(line: Line, tally: _FileTally, seen: _Open) -> None:
    """A dropped arrival may or may not have had its intent line before."""
    tally.drops += 1
    intent = integer(line, "intent")
    if intent is None:
        return
    if cls := text(line, "cls"):
        seen.classes.setdefault(intent, cls)
    seen.due.setdefault(intent, integer(line, "due") or integer(line, "t") or 0)
    seen.outcomes[intent] = "dropped"


def _id(line: Line, key: str) -> int:
    """The id, or -1, which no recorder ever gives."""
    value = integer(line, key)
    return -1 if value is None else value
