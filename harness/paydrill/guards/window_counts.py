"""How often a drill hit a point in a payment's life, counted from PSP journal, history and timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from paydrill.guards.facts import FOR_EVER, Capture, FaultFact, PspCall, RunFacts
from paydrill.guards.lines import number


def psp_commit_then_killed(facts: RunFacts) -> int:
    """Payments captured at the PSP whose answer was still under way when the asking node was killed.

    The answer reaches the node when the PSP has sent it and the latency in force on the node's edge is
    over. The PSP does not know which of several nodes asked, so a capture in that window counts only if
    the payment shows the wound: the PSP was asked again about it after the kill, or the client had no ok
    by the time at which an unhurt node would have given it (`delta_s` after the answer's arrival).
    """
    calls, told_ok = _calls_by_payment(facts), _first_ok_by_token(facts)
    slack_ns = int(facts.timing.delta_s * 1e9)
    hit: set[str] = set()
    for kill in facts.faults:
        if kill.name != "kill" or kill.start_ns is None:
            continue
        delay_ns = _latency_ns(facts, kill)
        for capture in facts.captures:
            arrival_ns = _arrival_ns(capture, delay_ns)
            if not capture.t_ns <= kill.start_ns < arrival_ns:
                continue
            late = told_ok.get(capture.token, FOR_EVER) > arrival_ns + slack_ns
            if late or _asked_again(capture, kill.start_ns, calls):
                hit.add(capture.eff)
    return len(hit)


WINDOWS: Mapping[str, Callable[[RunFacts], int]] = {"psp_commit_then_killed": psp_commit_then_killed}


def _arrival_ns(capture: Capture, delay_ns: int) -> int:
    """When the PSP's answer would be at the node that asked."""
    return (capture.t_ns if capture.answer_ns is None else capture.answer_ns) + delay_ns


def _latency_ns(facts: RunFacts, kill: FaultFact) -> int:
    """The longest latency towards the killed nodes that was in force at the kill, on their own edges."""
    kill_ns = kill.start_ns or 0
    delays = [
        number(fault.fields, "latency_ms") or 0.0
        for fault in facts.faults
        if fault.start_ns is not None
        and fault.start_ns <= kill_ns < fault.end_ns
        and any(place.partition("->")[0].strip() in kill.where for place in fault.where if "->" in place)
    ]
    return int(max(delays, default=0.0) * 1e6)


def _asked_again(capture: Capture, kill_ns: int, calls: Mapping[int | str, list[PspCall]]) -> bool:
    """The PSP was asked about this payment after the kill; a refund is a wish of its own."""
    by_token = calls.get(capture.token, ()) if capture.token is not None else ()
    about = [*calls.get(capture.pi, ()), *by_token]
    return any(call.t_ns > kill_ns and "refund" not in call.op for call in about)


def _calls_by_payment(facts: RunFacts) -> dict[int | str, list[PspCall]]:
    """Requests by token and by PSP object: some name only one of the two."""
    by: dict[int | str, list[PspCall]] = {}
    for call in facts.psp_calls:
        if call.token is not None:
            by.setdefault(call.token, []).append(call)
        if call.pi:
            by.setdefault(call.pi, []).append(call)
    return by


def _first_ok_by_token(facts: RunFacts) -> dict[int | None, int]:
    """When a client was first told that the payment with this token is done or accepted."""
    first: dict[int | None, int] = {}
    for op in facts.history.ops:
        if op.kind == "pay" and op.outcome == "ok" and op.ret_ns is not None and op.token is not None:
            first[op.token] = min(op.ret_ns, first.get(op.token, op.ret_ns))
    return first
