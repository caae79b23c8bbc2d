"""How much the target still owes, asked during a drill: may the waiting end yet?

The target's own word (`open_work`) cannot know of a charge that it has forgotten. This asks the PSPs'
journals and the client's history instead, in plain Python, without the tables. Of a target that says
nothing of itself it asks what the public API showed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from paydrill.evidence.from_history import parts_from_history
from paydrill.evidence.psp_journals import read_journals
from paydrill.evidence.run_info import RunInfo, read_run_info
from paydrill.evidence.saved_cards import SavedCards, saved_token
from paydrill.psp.journal_reader import Journal, PspEffectRow
from paydrill.run_folder import RunFolder

NO_ORDER = "no order"
OPEN = ("open", "review")
GONE = (404, 410)
History = Mapping[str, Sequence[Mapping[str, Any]]]


def charges_without_order(run: RunFolder, sut_facts: Iterable[Mapping[str, object]]) -> int:
    """Charges that are neither given back nor, by these rows of `sut_fact`, paid an order with.

    While it is not 0 and T_comp after the last heal has not passed, I-05 would be undecided: wait
    and look again. Raises OSError when a journal cannot be read.
    """
    info = read_run_info(run)
    history = _history(run, info)
    intent_of = {row["token"]: row["intent"] for row in history.get("intent_token", ())}
    cart_of = {row["intent"]: row["client_ref"] for row in history.get("intent", ())}
    paid = {
        row.get("client_ref")
        for row in sut_facts
        if row.get("kind") == "order" and info.class_of("order", row.get("state")) in ("paid", "refunded")
    }
    journals = read_journals(run)
    kept = _kept((effect for one in journals.values() for effect in one.effects), _cards(history, journals))
    return sum(1 for token in kept if cart_of.get(intent_of.get(token), NO_ORDER) not in paid)


def orders_as_read(run: RunFolder) -> list[Mapping[str, object]]:
    """Every order as the last final read showed it, in the form of `sut_fact`: for a target that has no other."""
    history = _history(run, read_run_info(run))
    cart_of = {row["intent"]: row["client_ref"] for row in history.get("intent", ())}
    return [
        {"kind": "order", "ref": ref, "client_ref": cart_of.get(intent), "state": look["said"]}
        for (intent, ref), look in _last_looks(history).items()
        if look["outcome"] == "ok"
    ]


def open_as_read(run: RunFolder) -> int:
    """Orders that the last final read showed as not settled.

    One that is still as it was created, of which no payment was accepted and for which the PSP did
    nothing, is abandoned and not open (as in the view v_open). Raises OSError when the run has no journal.
    """
    history = _history(run, read_run_info(run))
    intent_of = {row["token"]: row["intent"] for row in history.get("intent_token", ())}
    journals = read_journals(run)
    cards = _cards(history, journals)
    effects = (effect for journal in journals.values() for effect in journal.effects)
    moved = {intent_of.get(cards.token(effect.pi, effect.token)) for effect in effects}
    created: dict[int, str] = {}
    for op in history.get("op", ()):
        if op["outcome"] != "ok":
            continue
        if op["kind"] == "create":
            created.setdefault(op["intent"], op["said"])
        elif op["kind"] == "pay":
            moved.add(op["intent"])
    return sum(
        look["outcome"] == "ok"
        and look["said_class"] in OPEN
        and (intent in moved or look["said"] != created.get(intent))
        for (intent, _), look in _last_looks(history).items()
    )


def _cards(history: History, journals: Mapping[str, Journal]) -> SavedCards:
    """Whose the charges of saved cards are."""
    cards = SavedCards.of(one for row in history.get("intent_token", ()) if (one := saved_token(row)))
    cards.read(journals.values())
    return cards


def _history(run: RunFolder, info: RunInfo) -> History:
    return {part.reading.table: part.rows.rows for part in parts_from_history(run.histories(), info)}


def _last_looks(history: History) -> Mapping[tuple[int, str], Mapping[str, Any]]:
    """The last definite final read of each order, by intent and order: shown, or gone."""
    looks: dict[tuple[int, str], Mapping[str, Any]] = {}
    finals = (op for op in history.get("op", ()) if op["kind"] == "final" and op["t_ret_ns"] is not None)
    for op in sorted(finals, key=lambda op: (op["t_ret_ns"], op["op"])):
        if op["outcome"] == "ok" or (op["outcome"] == "fail" and op["status"] in GONE):
            looks[op["intent"], op["order_ref"]] = op
    return looks


def _kept(effects: Iterable[PspEffectRow], cards: SavedCards) -> list[int | None]:
    """The token of each object of the PSP that keeps some of a customer's money."""
    money: dict[str, int] = {}
    tokens: dict[str, int | None] = {}
    for effect in effects:
        if effect.status != "done":
            continue
        if effect.kind == "capture":
            money[effect.pi] = money.get(effect.pi, 0) + effect.amount
            tokens[effect.pi] = effect.token
        elif effect.kind in ("refund", "chargeback"):
            money[effect.pi] = money.get(effect.pi, 0) - effect.amount
    return [cards.token(pi, token) for pi, token in tokens.items() if money[pi] > 0]
