"""What the oracle needs of `run.json`; a run that crashed before writing it gets the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import orjson

from paydrill.run_folder import RunFolder
from paydrill.target import Timing
from paydrill.topology import PSP

StateClasses = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class RunInfo:
    """`state_classes` maps kind -> state -> class; `paid_states` are words that mean that money was taken;
    `psps`: whose journals the run should have."""

    timing: Timing = field(default_factory=Timing)
    state_classes: StateClasses = field(default_factory=dict)
    paid_states: frozenset[str] = frozenset()
    psps: tuple[str, ...] = (PSP,)

    def class_of(self, kind: str, state: object) -> str | None:
        """The class of a stored object's state; None when the target does not map it."""
        return self.state_classes.get(kind, {}).get(state) if isinstance(state, str) else None

    def said_class(self, op_kind: str, said: object) -> str | None:
        """The class of a state that an answer of the API named: an order's word, else a payment's.

        The answer to a challenge is the PSP's own: it says nothing about the target's states.
        """
        if op_kind == "challenge":
            return None
        kinds = ("order",) if op_kind in ("create", "read", "final") else ("order", "payment")
        found = next((found for kind in kinds if (found := self.class_of(kind, said))), None)
        return "paid" if found is None and self._may_be_paid(said) else found

    def said_paid(self, op_kind: str, status: object, said: object) -> bool:
        """Whether an ok answer said that the money was taken.

        200 to a payment is the contract's word for captured, unless its body names a state that is
        known and does not belong to a payment that was made (then it is no more than accepted).
        """
        class_ = self.said_class(op_kind, said)
        if class_ == "paid":
            return True
        return op_kind == "pay" and status == 200 and (class_ is None or self._may_be_paid(said))

    def _may_be_paid(self, said: object) -> bool:
        return isinstance(said, str) and said in self.paid_states


def read_run_info(run: RunFolder) -> RunInfo:
    """The folder's own word; a missing, torn or foreign `run.json` gives the defaults."""
    try:
        document = orjson.loads(run.run.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return RunInfo()
    if not isinstance(document, dict):
        return RunInfo()
    return RunInfo(
        timing=_timing(document.get("timing")),
        state_classes=_classes(document.get("state_classes")),
        paid_states=frozenset(_words(document.get("paid_states"))),
        psps=_words(document.get("psps")) or (PSP,),
    )


def _words(given: object) -> tuple[str, ...]:
    return tuple(word for word in given if isinstance(word, str)) if isinstance(given, list) else ()


def _timing(given: object) -> Timing:
    if not isinstance(given, dict):
        return Timing()
    values: dict[str, Any] = {}
    for known in fields(Timing):
        value = given.get(known.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
            values[known.name] = value
    return Timing(**values)


def _classes(given: object) -> StateClasses:
    if not isinstance(given, dict):
        return {}
    return {str(kind): _strings(states) for kind, states in given.items()}


def _strings(states: object) -> Mapping[str, str]:
    if not isinstance(states, dict):
        return {}
    return {state: word for state, word in states.items() if isinstance(state, str) and isinstance(word, str)}
