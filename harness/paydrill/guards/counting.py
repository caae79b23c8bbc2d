"""Counts over client operations that several guards share."""

from __future__ import annotations

from collections.abc import Iterable

from paydrill.guards.facts import FOR_EVER, FaultFact, OpFact


def ok_payments(
    ops: Iterable[OpFact], *, invoked_from_ns: int = 0, returned_before_ns: int = FOR_EVER
) -> set[int]:
    """Intents with a `pay` answered ok (captured or accepted), wholly inside the given time."""
    return {
        op.intent
        for op in ops
        if op.kind == "pay"
        and op.outcome == "ok"
        and op.ret_ns is not None
        and op.inv_ns >= invoked_from_ns
        and op.ret_ns < returned_before_ns
    }


def ops_during(ops: Iterable[OpFact], fault: FaultFact) -> list[OpFact]:
    """Operations in flight at some moment while the fault was in force; none when it never was."""
    if fault.start_ns is None:
        return []
    start_ns, end_ns = fault.start_ns, fault.end_ns
    return [op for op in ops if op.overlaps(start_ns, end_ns)]


def invoked_during(ops: Iterable[OpFact], fault: FaultFact) -> list[OpFact]:
    """Operations sent while the fault was in force."""
    if fault.start_ns is None:
        return []
    start_ns, end_ns = fault.start_ns, fault.end_ns
    return [op for op in ops if start_ns <= op.inv_ns < end_ns]
