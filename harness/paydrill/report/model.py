"""What every report tells of one run."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from paydrill.guards.facts import RunFacts
from paydrill.guards.read_facts import read_facts
from paydrill.report.events import with_events
from paydrill.report.money import total
from paydrill.report.series import Series, series_of
from paydrill.report.stories import Story, stories_of
from paydrill.run_folder import RunFolder
from paydrill.verdict import Money, Verdict

MAX_STORIES_TOLD = 10


@dataclass(frozen=True)
class RunReport:
    """`stories` are all; only the first `MAX_STORIES_TOLD` carry events. `money`: the largest amount of
    each intent, added up per currency."""

    verdict: Verdict
    title: str
    why: str
    path: Path
    series: Series
    stories: tuple[Story, ...]
    money: tuple[Money, ...]
    replay: tuple[str, ...]


def build_report(run: RunFolder, verdict: Verdict) -> RunReport:
    """Never raises for what stands in the folder: what cannot be told is left out."""
    facts = read_facts(run, journals={})  # a report asks about no PSP
    stories = stories_of(verdict.invariants)
    told = with_events(run, facts, stories[:MAX_STORIES_TOLD])
    return RunReport(
        verdict=verdict,
        title=facts.info.title or verdict.scenario,
        why=facts.info.why,
        path=run.path,
        series=series_of(facts),
        stories=(*told, *stories[MAX_STORIES_TOLD:]),
        money=total(money for story in stories for money in story.money),
        replay=_replay(facts, verdict),
    )


def _replay(facts: RunFacts, verdict: Verdict) -> tuple[str, ...]:
    """The command that runs the same plan again, and the one that judges this run again."""
    words = ["paydrill", "run", verdict.scenario or "SCENARIO", "--seed", str(verdict.seed)]
    for option, value in (
        ("--target", verdict.target),
        ("--topology", verdict.topology),
        ("--backend", verdict.backend),
        ("--mutant", verdict.mutant),
    ):
        words += [option, value] if value else []
    words += _overrides(facts.info.command)
    return shlex.join(words), shlex.join(["paydrill", "check", f"reports/{verdict.run}"])


def _overrides(command: tuple[str, ...]) -> list[str]:
    """The `--set` options that were typed."""
    found: list[str] = []
    for index, word in enumerate(command):
        if word == "--set" and index + 1 < len(command):
            found += ["--set", command[index + 1]]
        elif word.startswith("--set="):
            found.append(word)
    return found
