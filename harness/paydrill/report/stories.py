"""Findings of one root cause told as one story (pure): grouped by intent, headed by the likeliest cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from paydrill.report.money import largest
from paydrill.verdict import Finding, InvariantResult, Money

CAUSE_ORDER = [
    "06",
    "31",
    "16",
    "38",
    "36",
    "07",
    "20",
    "18",
    "22",
    "01",
    "02",
    "12",
    "05",
    "04",
    "43",
    "08",
    "09",
    "11",
    "03",
    "28",
    "29",
    "32",
    "14",
    "25",
    "15",
    "17",
    "30",
    "44",
    "41",
]
"""When one intent breaks several invariants, the first of these says best what went wrong."""


@dataclass(frozen=True)
class Broken:
    """One finding with the invariant that found it."""

    invariant: str
    name: str
    finding: Finding


@dataclass(frozen=True)
class StoryEvent:
    """One line of a story. `t_s` after the load began; `deciding`: the finding names this event."""

    t_s: float | None
    source: str
    event: str
    text: str
    deciding: bool


@dataclass(frozen=True)
class Story:
    """All findings about one intent. `events` are empty where the run no longer has its evidence."""

    intent: str | None
    headline: Broken
    also: tuple[Broken, ...]
    money: tuple[Money, ...]
    events: tuple[StoryEvent, ...] = ()
    events_left_out: int = 0


def stories_of(results: Iterable[InvariantResult]) -> tuple[Story, ...]:
    """One story an intent (findings without an intent stand alone), most money first."""
    groups: dict[object, list[Broken]] = {}
    for result in results:
        for finding in result.findings:
            subject = finding.intent or (result.id, finding.summary)
            groups.setdefault(subject, []).append(Broken(result.id, result.name, finding))
    stories = [_story(group) for group in groups.values()]
    return tuple(sorted(stories, key=_worst_first))


def _story(group: list[Broken]) -> Story:
    ranked = sorted(group, key=_cause_rank)
    money = largest(money for broken in group for money in broken.finding.money_at_risk)
    return Story(ranked[0].finding.intent, ranked[0], tuple(ranked[1:]), money)


def _cause_rank(broken: Broken) -> tuple[int, str]:
    number = broken.invariant.removeprefix("I-")
    return (CAUSE_ORDER.index(number) if number in CAUSE_ORDER else len(CAUSE_ORDER), broken.invariant)


def _worst_first(story: Story) -> tuple[int, tuple[int, str], str]:
    return (
        -max((money.minor for money in story.money), default=0),
        _cause_rank(story.headline),
        story.intent or "",
    )
