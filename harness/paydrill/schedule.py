"""What the conductor does next: a pure function of where it is and what happened.

Times are seconds since the load began. Faults begin and end at their planned times; whatever goes
wrong, everything in force is healed before anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from paydrill.plan import PlannedFault


@dataclass(frozen=True)
class Inject:
    fault: int


@dataclass(frozen=True)
class Heal:
    fault: int


@dataclass(frozen=True)
class WaitUntil:
    """Nothing is due before `at_s`."""

    at_s: float


@dataclass(frozen=True)
class Finish:
    """The load is over and every fault has been healed."""


Action = Inject | Heal | WaitUntil | Finish


@dataclass(frozen=True)
class Passed:
    """It is `now_s`."""

    now_s: float


@dataclass(frozen=True)
class LoadOver:
    """Every planned arrival has begun."""


@dataclass(frozen=True)
class Trouble:
    """Someone asked to stop, or an instrument died: no further fault is put in force."""

    kind: Literal["interrupted", "instrument_died", "aborted"]


Event = Passed | LoadOver | Trouble


@dataclass(frozen=True)
class State:
    """`waiting` faults have not begun; `in_force` are on, in the order of their ends."""

    waiting: tuple[PlannedFault, ...]
    in_force: tuple[PlannedFault, ...] = ()
    now_s: float = 0.0
    load_over: bool = False
    stopping: bool = False


def begin(faults: Sequence[PlannedFault]) -> State:
    return State(tuple(sorted(faults, key=lambda fault: (fault.at_s, fault.id))))


def next_action(state: State, event: Event) -> tuple[State, Action]:
    """One event in, one action out; call again with the same time until it says to wait or to finish."""
    state = _absorb(state, event)
    if due := [fault for fault in state.in_force if state.stopping or fault.end_s <= state.now_s]:
        return _without(state, due[0]), Heal(due[0].id)
    if state.stopping:
        return state, Finish()
    if state.waiting and state.waiting[0].at_s <= state.now_s:
        return _with(state), Inject(state.waiting[0].id)
    if state.load_over and not state.waiting and not state.in_force:
        return state, Finish()
    ahead = [fault.at_s for fault in state.waiting[:1]] + [fault.end_s for fault in state.in_force]
    return state, WaitUntil(min(ahead, default=float("inf")))


def _absorb(state: State, event: Event) -> State:
    match event:
        case Passed(now_s):
            return replace(state, now_s=max(state.now_s, now_s))
        case LoadOver():
            return replace(state, load_over=True)
        case Trouble():
            return replace(state, stopping=True, waiting=())


def _with(state: State) -> State:
    in_force = sorted((*state.in_force, state.waiting[0]), key=lambda fault: (fault.end_s, fault.id))
    return replace(state, waiting=state.waiting[1:], in_force=tuple(in_force))


def _without(state: State, healed: PlannedFault) -> State:
    return replace(state, in_force=tuple(fault for fault in state.in_force if fault is not healed))
