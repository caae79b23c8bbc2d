"""The conditions of a scenario: `when` of a step and the list `abort_if`, checked against what there is."""

from __future__ import annotations

from paydrill.events import Condition, EventKind, OnEvent, OnGauge, When
from paydrill.events.known import KINDS
from paydrill.scenario import AbortIf
from paydrill.scenario_gauges import METRIC_KEYS, Whose, read_gauge
from paydrill.units import format_seconds
from paydrill.yaml_fields import Field, Section

EVENT_EXAMPLE = "event: psp.captured"
WHEN_KEYS = ("after", "before", "hold")
MAX_COUNT = 1_000_000


def read_when(field: Field, for_s: float, duration_s: float | None, whose: Whose) -> When | None:
    """When a fault of `for_s` comes into force; None with its mistakes noted."""
    section = field.section(None)
    condition = _condition(section, WHEN_KEYS, whose)
    hold = section.get("hold")
    held = bool(hold.boolean()) if hold else False
    if hold and held and condition is not None:
        _check_hold(hold, condition)
    after_s = _seconds(section.get("after"), 0.0)
    latest_s = None if duration_s is None else round(duration_s - for_s, 6)
    before_s = _seconds(section.get("before"), latest_s if latest_s is not None else after_s or 0.0)
    if condition is None or after_s is None or before_s is None:
        return None
    if latest_s is not None and not _fits(section, field, after_s, before_s, latest_s):
        return None
    return When(condition, after_s, before_s, held)


def read_abort_if(field: Field, duration_s: float | None, whose: Whose) -> tuple[AbortIf, ...]:
    """What ends the drill; mistakes are noted."""
    found = []
    for item in field.items():
        section = item.section(None)
        condition = _condition(section, ("after",), whose)
        after = section.get("after")
        after_s = _seconds(after, 0.0)
        if after and after_s is not None and duration_s is not None and after_s >= duration_s:
            after.wrong(f"{format_seconds(after_s)} is not before the end of the load", "0s")
        elif condition is not None and after_s is not None:
            found.append(AbortIf(condition, after_s))
    return tuple(found)


def _condition(section: Section, more: tuple[str, ...], whose: Whose) -> Condition | None:
    if section.get("metric") is not None:
        section.refuse_unknown([*METRIC_KEYS, *more])
        return read_gauge(section, whose)
    named = section.require("event", EVENT_EXAMPLE)
    name = named.choice("event", tuple(KINDS)) if named else None
    if name is None:
        return None
    kind = KINDS[name]
    section.refuse_unknown(["event", "count", *kind.filters, *more])
    count = section.get("count")
    number = count.integer(1, MAX_COUNT) if count else 1
    only = {key: _word(field, key, kind) for key in kind.filters if (field := section.get(key))}
    if number is None or None in only.values():
        return None
    return OnEvent(name, number, {key: word for key, word in only.items() if word is not None})


def _word(field: Field, key: str, kind: EventKind) -> str | None:
    words = kind.filters[key]
    return field.scalar_text() if words is None else field.choice(key, words)


def _check_hold(hold: Field, condition: Condition) -> None:
    """Only what somebody waits for at the PSP can be held."""
    holdable = [kind.name for kind in KINDS.values() if kind.hold]
    if isinstance(condition, OnGauge) or KINDS[condition.event].hold is None:
        what = str(condition.metric) if isinstance(condition, OnGauge) else condition.event
        hold.wrong(f"{what} cannot be held; what can: {', '.join(holdable)}", "false")


def _seconds(field: Field | None, otherwise: float) -> float | None:
    return field.duration(zero=True) if field else otherwise


def _fits(section: Section, field: Field, after_s: float, before_s: float, latest_s: float) -> bool:
    """The fault must end with the load, whenever in its time the event comes."""
    if before_s > latest_s or latest_s <= 0:
        place = section.get("before") or field
        at = format_seconds(before_s)
        place.wrong(
            f"a fault that began at {at} would end after the end of the load",
            format_seconds(latest_s) if latest_s > 0 else "a longer load",
        )
        return False
    if after_s >= before_s:
        place = section.get("after") or field
        place.wrong(f"{format_seconds(after_s)} is not before {format_seconds(before_s)}", "0s")
        return False
    return True
