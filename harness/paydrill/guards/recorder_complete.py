"""The plan is there, and the clients' history has no hole: gapless, closed, counts as the recorder says."""

from __future__ import annotations

from collections.abc import Iterator

from paydrill.guards import codes
from paydrill.guards.facts import HistoryFile, RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "recorder_complete"


def check(facts: RunFacts) -> GuardResult:
    history, timeline = facts.history, facts.timeline
    problems = [f"{file.name}: {problem}" for file in history.files for problem in _problems(file)]
    if not history.files:
        problems.append("there is no history")
    if facts.info.planned_load_s is None:
        problems.append("plan.json does not say what was planned")
    if history.duplicate_ids:
        problems.append(f"{history.duplicate_ids} ids of intents or operations occur twice or are unreadable")
    if timeline.bad:
        problems.append(f"timeline: {timeline.bad} unreadable lines")
    lines = sum(file.lines for file in history.files)
    return all_of(NAME, codes.RECORDER_INCOMPLETE, problems, f"{lines} lines without a gap")


def _problems(file: HistoryFile) -> Iterator[str]:
    if file.bad:
        yield f"{file.bad} unreadable lines"
    if file.first_gap:
        yield file.first_gap
    if file.returns_without_invoke:
        yield f"{file.returns_without_invoke} answers belong to no operation"
    if not file.ended:
        yield "it has no end: the load generator did not close it"
        return
    counts = (
        ("intents", file.said_intents, file.intents),
        ("ops", file.said_ops, file.ops),
        ("dropped", file.said_drops, file.drops),
    )
    for what, said, found in counts:
        if said != found:
            yield f"its end says {said} {what}, it holds {found}"
