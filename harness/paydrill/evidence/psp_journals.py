"""The journals of a run's PSPs, read and verified: the one reading that guards, fold and waiting share.

Each PSP numbers its requests, effects and webhook tries from 1. Those of the second one are told apart by
its name and by an offset, so that a number means one thing in all of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from paydrill.psp.journal_reader import Journal, read_journal
from paydrill.run_folder import RunFolder
from paydrill.topology import PSPS

OFFSET = 1_000_000_000


def read_journals(run: RunFolder) -> Mapping[str, Journal]:
    """By the PSP's name, those that there are. Raises OSError when one cannot be read."""
    return {psp: _told_apart(psp, read_journal(path)) for psp, path in run.psp_journals().items()}


def _told_apart(psp: str, journal: Journal) -> Journal:
    offset = OFFSET * PSPS.index(psp)
    if not offset:
        return journal
    return replace(
        journal,
        requests=tuple(replace(row, psp=psp, req=row.req + offset) for row in journal.requests),
        effects=tuple(
            replace(row, psp=psp, eff=row.eff + offset, req=row.req + offset) for row in journal.effects
        ),
        webhooks=tuple(replace(row, attempt=row.attempt + offset) for row in journal.webhooks),
    )
