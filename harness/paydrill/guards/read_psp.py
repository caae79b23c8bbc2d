"""The journals of a run's PSPs -> Psp facts: what was captured, what was asked, whether the chain holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from paydrill.evidence.psp_journals import read_journals
from paydrill.evidence.saved_cards import SavedCards
from paydrill.guards.facts import Capture, Freeze, Psp, PspCall
from paydrill.psp.journal_reader import Journal, PspEffectRow, PspRequestRow
from paydrill.run_folder import RunFolder
from paydrill.topology import PSPS


def read_psps(
    run: RunFolder,
    expected: Collection[str],
    freezes: Mapping[str, Freeze],
    journals: Mapping[str, Journal] | None = None,
    cards: SavedCards | None = None,
) -> tuple[Psp, ...]:
    """One for each PSP that the run has or should have. `journals`: read already; None reads them now.

    cards: say whose the charges of saved cards are
    """
    if journals is None:
        try:
            journals = read_journals(run)
        except OSError:
            journals = {}
    names = [psp for psp in PSPS if psp in {*expected, *freezes, *journals}]
    cards = cards or SavedCards.of(())
    cards.read(journals.values())
    return tuple(_psp(name, journals.get(name), freezes.get(name), cards) for name in names)


def _psp(name: str, journal: Journal | None, freeze: Freeze | None, cards: SavedCards) -> Psp:
    if journal is None:
        return Psp(name, freeze=freeze)
    requests = {request.req: request for request in journal.requests}
    return Psp(
        name=name,
        present=True,
        lines=journal.lines,
        broken=journal.why or "",
        freeze=freeze,
        freeze_hash=_hash_at(journal, freeze.n) if freeze else None,
        captures=tuple(
            _capture(effect, requests.get(effect.req), cards)
            for effect in journal.effects
            if effect.kind == "capture" and effect.status == "done"
        ),
        calls=tuple(
            PspCall(request.t_recv_ns, request.op, cards.token(request.pi, request.token), request.pi or "")
            for request in journal.requests
        ),
    )


def _capture(effect: PspEffectRow, request: PspRequestRow | None, cards: SavedCards) -> Capture:
    return Capture(
        eff=str(effect.eff),
        t_ns=effect.t_ns,
        token=cards.token(effect.pi, effect.token),
        pi=effect.pi,
        answer_ns=request.t_ans_ns if request else None,
        delivered=bool(request and request.delivered),
    )


def _hash_at(journal: Journal, line: int | None) -> str | None:
    """The hash of a line, counted from 1; None when there is no such line."""
    if line is None or not 0 < line <= journal.lines:
        return None
    return journal.digests[32 * (line - 1) : 32 * line].hex()
