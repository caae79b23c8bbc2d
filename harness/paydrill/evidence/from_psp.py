"""The PSPs' journals -> psp_effect, psp_request, webhook: the truth about money.

A journal is complete when its hash chain verifies and the head that the harness wrote down at the
freeze stands where it stood then. With two PSPs half of it is not the truth: one that is missing makes
the tables incomplete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from paydrill.evidence.json_lines import JsonObject, span
from paydrill.evidence.parts import Part, Reading
from paydrill.evidence.saved_cards import SavedCards, saved_token
from paydrill.evidence.schema import tables
from paydrill.evidence.typed_rows import TypedRows, capitals
from paydrill.psp.journal_reader import (
    Journal,
    PspEffectRow,
    PspRequestRow,
    WebhookRow,
)
from paydrill.topology import PSP, PSPS

NOTHING = Journal((), (), (), (), (), 0, "", False, "there is no journal", False, b"")


def parts_from_psps(
    journals: Mapping[str, Journal],
    expected: Iterable[str],
    timeline: Iterable[JsonObject],
    tokens: Iterable[Mapping[str, object]] = (),
) -> list[Part]:
    """Parts for psp_effect, psp_request and webhook of each PSP; none when no PSP has a journal.

    `journals` are those of `read_journals`; a PSP that is `expected`, or that was frozen, has one.
    tokens: rows of `intent_token`, which say whose the charges of saved cards are
    """
    freezes = {_of(line): line for line in timeline if line.get("kind") == "psp_freeze"}
    names = [psp for psp in PSPS if psp in {*journals, *expected, *freezes}] if journals else []
    cards = SavedCards.of(one for row in tokens if (one := saved_token(row)))
    cards.read(journals.values())
    return [part for name in names for part in _parts(name, journals.get(name), freezes.get(name), cards)]


def _of(freeze: JsonObject) -> str:
    """Which PSP was frozen; runs of older versions had one and did not say."""
    name = freeze.get("name")
    return name if isinstance(name, str) else PSP


def _parts(psp: str, journal: Journal | None, freeze: JsonObject | None, cards: SavedCards) -> list[Part]:
    whole = journal or NOTHING
    trouble = whole.why or _not_frozen(whole, freeze)
    first_ns, last_ns = _span(whole)
    typed = (
        _rows("psp_effect", whole.effects, cards),
        _rows("psp_request", whole.requests, cards),
        _rows("webhook", whole.webhooks, cards),
    )
    return [Part(rows, Reading(rows.table.name, psp, 0, first_ns, last_ns, True, trouble)) for rows in typed]


def _not_frozen(journal: Journal, freeze: JsonObject | None) -> str | None:
    """Why the journal cannot be taken for whole, compared with the freeze in the time line."""
    if freeze is None:
        return "the PSP was never frozen: more may have happened than was read"
    count, head = freeze.get("n"), freeze.get("head")
    if type(count) is not int or count > journal.lines:
        return f"the journal has {journal.lines} lines, at the freeze it had {count}"
    if not isinstance(head, str) or not journal.matches(count, head):
        return f"line {count} of the journal is not the one that was there at the freeze"
    return None


def _span(journal: Journal) -> tuple[int, int]:
    """When it was begun, and the last time that it tells of."""
    starts = [start.t_ns for start in journal.starts]
    freezes = [t_ns for t_ns, _ in journal.freezes]
    return span([*starts, *freezes, *(effect.t_ns for effect in journal.effects[-1:])])


def _rows(
    table: str, found: Iterable[PspEffectRow | PspRequestRow | WebhookRow], cards: SavedCards
) -> TypedRows:
    rows = TypedRows(tables()[table])
    names = [column.name for column in rows.table.columns]
    for row in found:
        values: dict[str, object] = {name: getattr(row, name) for name in names}
        values["token"] = cards.token(row.pi, row.token)
        rows.add({**values, "currency": capitals(values["currency"])} if "currency" in names else values)
    return rows
