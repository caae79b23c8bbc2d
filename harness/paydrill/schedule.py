"""What the conductor does next: a pure function of where it is and what happened.

Times are seconds since the load began. Faults begin at their planned times, or when the event has
come that they wait for; whatever goes wrong, everything in force is healed before anything else.
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
class Await:
    """From now on the fault's event counts."""

    fault: int


@dataclass(frozen=True)
class GiveUp:
    """The fault's event has not come in time: it will not be put in force any more."""

    fault: int


@dataclass(frozen=True)
class WaitUntil:
    """Nothing is due before `at_s`."""

    at_s: float


@dataclass(frozen=True)
class Finish:
    """The load is over and every fault has been healed."""


Action = Inject | Heal | Await | GiveUp | WaitUntil | Finish


@dataclass(frozen=True)
class Passed:
    """It is `now_s`."""

    now_s: float


@dataclass(frozen=True)
class Fired:
    """The event that a fault waits for has come, and it is `now_s`."""

    fault: int
    now_s: float


@dataclass(frozen=True)
class LoadOver:
    """Every planned arrival has begun."""


@dataclass(frozen=True)
class Trouble:
    """Someone asked to stop, or an instrument died: no further fault is put in force."""

    kind: Literal["interrupted", "instrument_died", "aborted"]


Event = Passed | Fired | LoadOver | Trouble


@dataclass(frozen=True)
class State:
    """`waiting` faults have not begun; `watching` wait for their event; `in_force` are on, by their ends."""

    waiting: tuple[PlannedFault, ...]
    watching: tuple[PlannedFault, ...] = ()
    in_force: tuple[PlannedFault, ...] = ()
    now_s: float = 0.0
    load_over: bool = False
    trouble: str = ""

    @property
    def stopping(self) -> bool:
        return bool(self.trouble)


def begin(faults: Sequence[PlannedFault]) -> State:
    return State(tuple(sorted(faults, key=lambda fault: (fault.at_s, fault.id))))


def next_action(state: State, event: Event) -> tuple[State, Action]:
    """One event in, one action out; call again with the same time until it says to wait or to finish."""
    state = _absorb(state, event)
    if due := [fault for fault in state.in_force if state.stopping or fault.end_s <= state.now_s]:
        return _without(state, due[0]), Heal(due[0].id)
    if state.stopping:
        return state, Finish()
    if late := [fault for fault in state.watching if _last_s(fault) <= state.now_s]:
        return _unwatched(state, late[0]), GiveUp(late[0].id)
    if state.waiting and state.waiting[0].at_s <= state.now_s:
        return _with(state)
    if state.load_over and not state.waiting and not state.watching and not state.in_force:
        return state, Finish()
    ahead = [
        *(fault.at_s for fault in state.waiting[:1]),
        *(_last_s(fault) for fault in state.watching),
        *(fault.end_s for fault in state.in_force),
    ]
    return state, WaitUntil(min(ahead, default=float("inf")))


def _absorb(state: State, event: Event) -> State:
    match event:
        case Passed(now_s):
            return replace(state, now_s=max(state.now_s, now_s))
        case Fired(fault, now_s):
            return _fired(replace(state, now_s=max(state.now_s, now_s)), fault)
        case LoadOver():
            return replace(state, load_over=True)
        case Trouble(kind):
            return replace(state, trouble=state.trouble or kind, waiting=(), watching=())


def _fired(state: State, fault_id: int) -> State:
    """It is the next to begin: somebody may be held until it is in force."""
    fired = [fault for fault in state.watching if fault.id == fault_id]
    begun = tuple(fault.begun(state.now_s) for fault in fired)
    state = replace(state, waiting=(*begun, *state.waiting))
    return _unwatched(state, fired[0]) if fired else state


def _last_s(fault: PlannedFault) -> float:
    return fault.at_s if fault.when is None else fault.when.before_s


def _with(state: State) -> tuple[State, Action]:
    first, waiting = state.waiting[0], state.waiting[1:]
    if first.when is not None:
        return replace(state, waiting=waiting, watching=(*state.watching, first)), Await(first.id)
    in_force = sorted((*state.in_force, first), key=lambda fault: (fault.end_s, fault.id))
    return replace(state, waiting=waiting, in_force=tuple(in_force)), Inject(first.id)


def _unwatched(state: State, gone: PlannedFault) -> State:
    return replace(state, watching=tuple(fault for fault in state.watching if fault is not gone))


def _without(state: State, healed: PlannedFault) -> State:
    return replace(state, in_force=tuple(fault for fault in state.in_force if fault is not healed))
