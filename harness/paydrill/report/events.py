"""The events of a story, from the run's evidence; a run that no longer has it keeps its findings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from paydrill.guards.facts import RunFacts
from paydrill.report.stories import Story, StoryEvent
from paydrill.run_folder import RunFolder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from paydrill.evidence.story import Event

MAX_EVENTS = 60
_INTENT = re.compile(r"i?(\d{1,18})")


def with_events(run: RunFolder, facts: RunFacts, stories: Sequence[Story]) -> tuple[Story, ...]:
    """The same stories with their events, as far as the evidence can tell them."""
    if not stories or not run.evidence.is_dir():
        return tuple(stories)
    try:
        from paydrill.evidence.reader import evidence

        with evidence(run) as connection:
            return tuple(_told(connection, facts, story) for story in stories)
    except Exception:
        # Foreign or half-written evidence: a report without events is better than none.
        return tuple(stories)


def _told(connection: DuckDBPyConnection, facts: RunFacts, story: Story) -> Story:
    from paydrill.evidence.story import events_of

    match = _INTENT.fullmatch(story.intent or "")
    if match is None:
        return story
    deciding = {event for broken in (story.headline, *story.also) for event in broken.finding.events}
    lines = [_line(event, facts, deciding) for event in events_of(connection, int(match[1]))]
    kept = _kept(lines)
    return replace(story, events=kept, events_left_out=len(lines) - len(kept))


def _line(event: Event, facts: RunFacts, deciding: set[str]) -> StoryEvent:
    t_s = facts.seconds(event.t_ns) if event.t_ns else None
    return StoryEvent(t_s, event.source, event.id, event.text, event.id in deciding)


def _kept(lines: Sequence[StoryEvent]) -> tuple[StoryEvent, ...]:
    """At most `MAX_EVENTS`, in their order: what decides first, then from the beginning."""
    if len(lines) <= MAX_EVENTS:
        return tuple(lines)
    ranked = sorted(range(len(lines)), key=lambda index: (not lines[index].deciding, index))
    return tuple(_in_order(lines, ranked[:MAX_EVENTS]))


def _in_order(lines: Sequence[StoryEvent], indexes: Iterable[int]) -> list[StoryEvent]:
    return [lines[index] for index in sorted(indexes)]
