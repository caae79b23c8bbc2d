"""paydrill explain RUN FINDING"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from paydrill.cli.output import json_option, print_json, print_lines

if TYPE_CHECKING:
    from paydrill.report.stories import Story


@click.command(short_help="The story of one broken order, event by event.")
@click.argument("run", metavar="RUN")
@click.argument("finding", metavar="FINDING", default="1")
@json_option
def command(run: str, finding: str, as_json: bool) -> int:
    """Tell a finding's story: everything that happened to one intent, on one time line.

    FINDING is an intent (i17), a number (1 is the one with most money at risk), or an invariant's id.
    """
    from paydrill import library
    from paydrill.errors import UsageError
    from paydrill.guards.read_facts import read_facts
    from paydrill.report.events import with_events
    from paydrill.report.stories import stories_of
    from paydrill.verdict_file import read_verdict

    folder = library.run_folder(run)
    stories = stories_of(read_verdict(folder).invariants)
    chosen = _chosen(stories, finding)
    if chosen is None:
        known = ", ".join(story.intent or story.headline.invariant for story in stories[:10])
        raise UsageError(
            f"the run has no finding {finding!r}: " + (f"expected one of {known}" if known else "it has none")
        )
    (story,) = with_events(folder, read_facts(folder, journals={}), [chosen])
    if as_json:
        print_json(_document(story))
    else:
        print_lines(_lines(story))
    return 0


def _chosen(stories: Sequence[Story], word: str) -> Story | None:
    if word.isdecimal() and 1 <= int(word) <= len(stories):
        return stories[int(word) - 1]
    for story in stories:
        ids = {story.headline.invariant, *(broken.invariant for broken in story.also)}
        if word in (story.intent, (story.intent or "").removeprefix("i")) or word.upper() in ids:
            return story
    return None


def _lines(story: Story) -> Iterator[str]:
    from paydrill.report.money import shown_all
    from paydrill.report.plain import printable

    yield printable(f"intent {story.intent or '(none)'}: {shown_all(story.money)} at risk")
    for broken in (story.headline, *story.also):
        yield printable(f"  {broken.invariant} {broken.name}: {broken.finding.summary}")
    for event in story.events:
        at = f"{event.t_s:9.3f} s" if event.t_s is not None else " " * 11
        mark = "*" if event.deciding else " "
        yield printable(f"{mark} {at}  {event.source}: {event.text} [{event.event}]")
    if not story.events:
        yield "  the run no longer has the evidence of its events"
    if story.events_left_out:
        yield f"  {story.events_left_out} more events are left out"


def _document(story: Story) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "intent": story.intent,
        "findings": [
            {"invariant": broken.invariant, "summary": broken.finding.summary}
            for broken in (story.headline, *story.also)
        ],
        "money_at_risk": [asdict(money) for money in story.money],
        "events": [asdict(event) for event in story.events],
        "events_left_out": story.events_left_out,
    }
