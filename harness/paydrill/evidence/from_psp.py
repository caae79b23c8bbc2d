"""`psp/journal.jsonl` -> psp_effect, psp_request, webhook: the truth about money.

The journal is complete when its hash chain verifies and the head that the harness wrote down at the
freeze stands where it stood then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

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
    read_journal,
)


def parts_from_psp(
    path: Path, timeline: Iterable[JsonObject], tokens: Iterable[Mapping[str, object]] = ()
) -> list[Part]:
    """Parts for psp_effect, psp_request and webhook; none when there is no journal. Raises OSError.

    tokens: rows of `intent_token`, which say whose the charges of saved cards are
    """
    if not path.exists():
        return []
    journal = read_journal(path)
    trouble = journal.why or _not_frozen(journal, timeline)
    first_ns, last_ns = _span(journal)
    cards = SavedCards.of(one for row in tokens if (one := saved_token(row)))
    for effect in journal.effects:
        cards.effect(effect.pi, effect.token, effect.kind, effect.amount, effect.currency)
    typed = (
        _rows("psp_effect", journal.effects, cards),
        _rows("psp_request", journal.requests, cards),
        _rows("webhook", journal.webhooks, cards),
    )
    return [
        Part(rows, Reading(rows.table.name, "psp", 0, first_ns, last_ns, True, trouble)) for rows in typed
    ]


def _not_frozen(journal: Journal, timeline: Iterable[JsonObject]) -> str | None:
    """Why the journal cannot be taken for whole, compared with the freeze in the time line."""
    freezes = [line for line in timeline if line.get("kind") == "psp_freeze"]
    if not freezes:
        return "the PSP was never frozen: more may have happened than was read"
    count, head = freezes[-1].get("n"), freezes[-1].get("head")
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
