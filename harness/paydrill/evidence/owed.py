"""How much the target still owes, asked during a drill: may the waiting end yet?

The target's own word (`open_work`) cannot know of a charge that it has forgotten. This asks the PSP's
journal and the client's history instead, in plain Python, without the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from paydrill.evidence.from_history import parts_from_history
from paydrill.evidence.run_info import read_run_info
from paydrill.evidence.saved_cards import SavedCards, saved_token
from paydrill.psp.journal_reader import PspEffectRow, read_journal
from paydrill.run_folder import RunFolder

NO_ORDER = "no order"


def charges_without_order(run: RunFolder, sut_facts: Iterable[Mapping[str, object]]) -> int:
    """Charges that are neither given back nor, by these rows of `sut_fact`, paid an order with.

    While it is not 0 and T_comp after the last heal has not passed, I-05 would be undecided: wait
    and look again. Raises OSError when the run has no journal.
    """
    info = read_run_info(run)
    history = {part.reading.table: part.rows.rows for part in parts_from_history(run.histories(), info)}
    intent_of = {row["token"]: row["intent"] for row in history.get("intent_token", ())}
    cart_of = {row["intent"]: row["client_ref"] for row in history.get("intent", ())}
    paid = {
        row.get("client_ref")
        for row in sut_facts
        if row.get("kind") == "order" and info.class_of("order", row.get("state")) in ("paid", "refunded")
    }
    cards = SavedCards.of(one for row in history.get("intent_token", ()) if (one := saved_token(row)))
    kept = _kept(read_journal(run.psp_journal).effects, cards)
    return sum(1 for token in kept if cart_of.get(intent_of.get(token), NO_ORDER) not in paid)


def _kept(effects: Iterable[PspEffectRow], cards: SavedCards) -> list[int | None]:
    """The token of each object of the PSP that keeps some of a customer's money."""
    money: dict[str, int] = {}
    tokens: dict[str, int | None] = {}
    for effect in effects:
        cards.effect(effect.pi, effect.token, effect.kind, effect.amount, effect.currency)
        if effect.status != "done":
            continue
        if effect.kind == "capture":
            money[effect.pi] = money.get(effect.pi, 0) + effect.amount
            tokens[effect.pi] = effect.token
        elif effect.kind in ("refund", "chargeback"):
            money[effect.pi] = money.get(effect.pi, 0) - effect.amount
    return [cards.token(pi, token) for pi, token in tokens.items() if money[pi] > 0]
