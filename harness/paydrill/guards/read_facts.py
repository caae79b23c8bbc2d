"""The one reading of a run folder: everything that guards, SLOs, recovery and reports ask about."""

from __future__ import annotations

from collections.abc import Mapping

from paydrill.evidence.saved_cards import SavedCards
from paydrill.guards.facts import ReadingFact, RunFacts
from paydrill.guards.lines import LineCount, boolean, integer, json_lines, json_object, mapping, text
from paydrill.guards.read_history import read_history
from paydrill.guards.read_info import read_expect, read_info, read_scenario, read_timing
from paydrill.guards.read_psp import read_psps
from paydrill.guards.read_timeline import read_timeline
from paydrill.psp.journal_reader import Journal
from paydrill.run_folder import RunFolder


def read_facts(run: RunFolder, journals: Mapping[str, Journal] | None = None) -> RunFacts:
    """Never raises on content: what a crashed run lacks is empty in the facts.

    journals: those of the PSPs, for who has read them already (or does not ask about PSPs: empty).
    """
    meta, plan, scenario = json_object(run.run), json_object(run.plan), read_scenario(run.scenario)
    timeline, faults = read_timeline(run.timeline, plan)
    info, history = read_info(run, meta, plan, scenario), read_history(run.histories())
    cards = SavedCards.of(history.saved_tokens)
    return RunFacts(
        info=info,
        expect=read_expect(scenario, meta),
        timing=read_timing(plan, meta),
        history=history,
        timeline=timeline,
        faults=faults,
        psps=read_psps(run, info.psps, timeline.freezes, journals, cards),
        readings=_readings(run),
    )


def _readings(run: RunFolder) -> tuple[ReadingFact, ...]:
    """The first line of each `readings/*.ndjson` says what was tried to be read."""
    heads = []
    for path in sorted(run.readings.glob("*.ndjson")):
        first = next(json_lines(path, LineCount()), {})
        head = mapping(first, "reading")
        complete = boolean(head, "complete") is True
        heads.append(
            ReadingFact(text(head, "table"), integer(head, "snap") or 0, complete, text(head, "error"))
        )
    return tuple(heads)
