"""Conditions of a scenario as people read them."""

from __future__ import annotations

from paydrill.events import When
from paydrill.units import format_seconds


def when_words(when: When) -> str:
    """`when psp.captured (3rd) comes between 2s and 9s, its answer held`."""
    span = f"between {format_seconds(when.after_s)} and {format_seconds(when.before_s)}"
    held = ", its answer held until the fault is in force" if when.hold else ""
    return f"when {when.condition.told()} comes {span}{held}"
