"""The points that the scenario is about were hit often enough."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import all_of
from paydrill.guards.window_counts import WINDOWS
from paydrill.verdict import GuardResult

NAME = "windows_hit"


def check(facts: RunFacts) -> GuardResult:
    problems, hits = [], []
    for window in facts.expect.windows:
        count = WINDOWS.get(window.name)
        if count is None:
            problems.append(f"{window.name}: no such window; known are {', '.join(sorted(WINDOWS))}")
            continue
        hit = count(facts)
        hits.append(f"{window.name}: {hit}")
        if hit < window.at_least:
            problems.append(f"{window.name} was hit {hit} times, at least {window.at_least} needed")
    return all_of(NAME, codes.WINDOW_MISSED, problems, "; ".join(hits) or "the scenario names no window")
