"""How often a drill hit a point in a payment's life, counted from PSP journal, history and timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from paydrill.guards.facts import Capture, FaultFact, PspCall, RunFacts
from paydrill.guards.lines import number


def psp_commit_then_killed(facts: RunFacts) -> int:
    """Payments captured at the PSP whose answer was still under way when the asking node was killed.

    The answer reaches the node when the PSP has sent it and the latency in force on the node's edge is
    over. The PSP does not know which of several nodes asked, so a capture in that window counts only if
    the payment shows the wound: the PSP was asked again about it after the kill, or the client's
    payment was never answered ok.
    """
    calls, paid = _calls_by_payment(facts), _tokens_paid_ok(facts)
    hit: set[str] = set()
    for kill in facts.faults:
        if kill.name != "kill" or kill.start_ns is None:
            continue
        delay_ns = _latency_ns(facts, kill)
        for capture in facts.psp.captures:
            if _under_way(capture, kill.start_ns, delay_ns) and _wounded(capture, kill.start_ns, calls, paid):
                hit.add(capture.eff)
    return len(hit)


WINDOWS: Mapping[str, Callable[[RunFacts], int]] = {"psp_commit_then_killed": psp_commit_then_killed}


def _under_way(capture: Capture, kill_ns: int, delay_ns: int) -> bool:
    if capture.t_ns > kill_ns:
        return False
    sent_ns = capture.t_ns if capture.answer_ns is None else capture.answer_ns
    return kill_ns < sent_ns + delay_ns


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


def _wounded(
    capture: Capture, kill_ns: int, calls: Mapping[int | str, list[PspCall]], paid: set[int]
) -> bool:
    about = [*calls.get(capture.pi, ()), *(calls.get(capture.token, ()) if capture.token is not None else ())]
    asked_again = any(call.t_ns > kill_ns and "refund" not in call.op for call in about)
    return asked_again or capture.token not in paid


def _calls_by_payment(facts: RunFacts) -> dict[int | str, list[PspCall]]:
    """Requests by token and by PSP object: some name only one of the two."""
    by: dict[int | str, list[PspCall]] = {}
    for call in facts.psp.calls:
        if call.token is not None:
            by.setdefault(call.token, []).append(call)
        if call.pi:
            by.setdefault(call.pi, []).append(call)
    return by


def _tokens_paid_ok(facts: RunFacts) -> set[int]:
    """Tokens whose payment a client was told to be done or accepted."""
    return {
        op.token
        for op in facts.history.ops
        if op.kind == "pay" and op.outcome == "ok" and op.token is not None
    }
