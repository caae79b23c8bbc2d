"""All that the harness itself recorded became evidence: half a ledger makes honest targets look like thieves.

Only the harness's own tables: what a target did not tell is for `facts_read`.
"""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "evidence_whole"
OWN_TABLES = frozenset({"intent", "intent_token", "op", "psp_effect", "psp_request", "timeline"})


def check(facts: RunFacts) -> GuardResult:
    torn = [reading for reading in facts.folded if reading.table in OWN_TABLES and not reading.complete]
    problems = [f"{reading.table}: {reading.error or 'not all of it could be read'}" for reading in torn]
    return all_of(NAME, codes.RECORDER_INCOMPLETE, problems, f"{len(facts.folded)} readings became evidence")
