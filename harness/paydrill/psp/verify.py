"""Is a journal whole, does its money add up, was anybody charged twice? Independent folds over the file (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from paydrill.psp.chain import ChainBroken, walk
from paydrill.psp.double_charges import Charges, DoubleCharge
from paydrill.psp.profiles import PROFILES, STRIPE

_CANCELLED = "cancelled"
_COUNTED = ("done", "pending")
_REFUND_STEPS = {
    (None, "pending"),
    (None, "done"),
    ("pending", "done"),
    ("pending", "failed"),
    ("done", "failed"),
}
"""A refund is pending and then done or failed, or done at once and perhaps failed later."""


@dataclass(frozen=True)
class Verified:
    """`problems` is empty when the chain holds and money is conserved. `head` is the last line's hash.

    A double charge is no problem of the journal: the provider did what it was asked for.
    """

    lines: int
    head: str
    torn: bool
    effects: int
    problems: tuple[str, ...]
    double_charges: tuple[DoubleCharge, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass
class _Account:
    """Sums of one PaymentIntent's effects, in minor units.

    A refund counts as long as it is pending or done: `refunds` has the last word on each of them.
    """

    currency: str = ""
    sums: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    refunds: dict[str, tuple[str, int]] = field(default_factory=dict)

    def post(self, effect: Mapping[str, Any]) -> str | None:
        """What cannot follow from what came before, in words."""
        if effect["kind"] == "refund":
            name, now = effect.get("of") or f"eff{effect['eff']}", effect["status"]
            before, amount = self.refunds.get(name, (None, effect["amount"]))
            self.refunds[name] = now, effect["amount"]
            if (before, now) not in _REFUND_STEPS or amount != effect["amount"]:
                return f"{name} is {now} {effect['amount']} after {before or 'nothing'} {amount}"
        elif effect["status"] == "done":
            self.sums[effect["kind"]] += effect["amount"]
        return None

    @property
    def refunded(self) -> int:
        return sum(amount for status, amount in self.refunds.values() if status in _COUNTED)

    @property
    def held(self) -> int:
        sums = self.sums
        return sums["auth"] - sums["capture"] - sums["release"] - sums["expire"]


@dataclass
class _Keys:
    """No key may be executed twice, until it may have been pruned."""

    kept_s: float | None = STRIPE.window_s
    kept: dict[str, int] = field(default_factory=dict)

    def open(self, row: Mapping[str, Any]) -> None:
        profile = PROFILES.get(row["profile"], STRIPE)
        self.kept_s = row["behaviour"].get("idem_ttl_s", profile.window_s)

    def behave(self, row: Mapping[str, Any]) -> None:
        self.kept_s = row["behaviour"].get("idem_ttl_s", self.kept_s)

    def used(self, row: Mapping[str, Any]) -> str | None:
        """The key of an executed line that was kept already."""
        if not row["idem"] or row["idem"]["fingerprint"] == _CANCELLED:
            return None
        key: str = row["idem"]["key"]
        before = self.kept.get(key)
        self.kept[key] = row["t"]
        if before is None or (self.kept_s is not None and row["t"] - before > self.kept_s * 1e9):
            return None
        return key


@dataclass
class _Books:
    accounts: dict[str, _Account] = field(default_factory=dict)
    intents: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    charges: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    refunds: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    keys: _Keys = field(default_factory=_Keys)
    requests: set[int] = field(default_factory=set)
    executed: set[int] = field(default_factory=set)
    announced: dict[int, int] = field(default_factory=dict)
    scheduled: set[int] = field(default_factory=set)
    double: Charges = field(default_factory=Charges)
    effects: int = 0
    problems: list[str] = field(default_factory=list)

    def take(self, row: Mapping[str, Any]) -> None:
        if row["kind"] == "later":
            self.announced[row["item"]] = row["req"]
            return
        announced, self.announced = self.announced, {}
        match row["kind"]:
            case "request":
                if row["req"] in self.requests:
                    self.problems.append(f"line {row['n']}: request {row['req']} is there twice")
                self.requests.add(row["req"])
            case "effect":
                self._effect(row)
                # Only with the effect line directly after it has anything been scheduled.
                self.scheduled.update(item for item, req in announced.items() if req == row["req"])
            case "open":
                self.keys.open(row)
            case "behave":
                self.keys.behave(row)

    def _effect(self, row: Mapping[str, Any]) -> None:
        n, req = row["n"], row["req"]
        if req not in self.requests:
            self.problems.append(f"line {n}: effects of request {req}, which was never received")
        # What the provider does later by itself names the request that it goes back to.
        item = row.get("item")
        if item is None:
            if req in self.executed:
                self.problems.append(f"line {n}: request {req} was executed twice")
            self.executed.add(req)
        elif item not in self.scheduled:
            self.problems.append(f"line {n}: item {item} was not scheduled, or was carried out before")
        self.scheduled.discard(item)
        key = self.keys.used(row)
        if key is not None:
            self.problems.append(f"line {n}: idempotency key {key!r} was executed twice")
        for effect in row["effects"]:
            self._post(n, effect)
        objects = row["objects"]
        self.intents.update((one["id"], one) for one in objects["intents"])
        self.charges.update((one["id"], one) for one in objects["charges"])
        self.refunds.update((one["id"], one) for one in objects["refunds"])
        self.double.take(row)

    def _post(self, n: int, effect: Mapping[str, Any]) -> None:
        self.effects += 1
        if effect["eff"] != self.effects:
            self.problems.append(f"line {n}: effect {effect['eff']} where {self.effects} was expected")
        if effect["amount"] < 1:
            self.problems.append(f"line {n}: effect {effect['eff']} of {effect['amount']} minor units")
        account = self.accounts.setdefault(effect["pi"], _Account(effect["currency"]))
        if account.currency != effect["currency"]:
            self.problems.append(f"line {n}: {effect['pi']} in {account.currency} and {effect['currency']}")
        wrong = account.post(effect)
        if wrong is not None:
            self.problems.append(f"line {n}: {wrong}")

    def close(self) -> None:
        """Compare the sums with each other and with the objects."""
        for pi, account in self.accounts.items():
            sums = account.sums
            if account.held < 0:
                ended = sums["capture"] + sums["release"] + sums["expire"]
                self._unequal(pi, "captured + released", ended, "held", sums["auth"])
            given_back = account.refunded + sums["chargeback"]
            if given_back > sums["capture"]:
                self._unequal(pi, "refunded", given_back, "captured", sums["capture"])
        for pi, intent in self.intents.items():
            account = self.accounts.get(pi) or _Account()
            self._equal(pi, "amount_received", intent["received"], "captured", account.sums["capture"])
            self._equal(pi, "amount_capturable", intent["capturable"], "still held", account.held)
        self._charges()

    def _charges(self) -> None:
        by_intent: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for charge in self.charges.values():
            by_intent[charge["intent"]].append(charge)
        refunds: defaultdict[str, int] = defaultdict(int)
        for refund in self.refunds.values():
            if refund["status"] in ("succeeded", "pending"):
                refunds[refund["intent"]] += refund["amount"]
        for pi, account in self.accounts.items():
            captured = sum(charge["captured"] for charge in by_intent[pi])
            refunded = sum(charge["refunded"] for charge in by_intent[pi])
            disputed = sum(charge.get("disputed", 0) for charge in by_intent[pi])
            self._equal(pi, "its charges' amount_captured", captured, "captured", account.sums["capture"])
            self._equal(pi, "its charges' amount_refunded", refunded, "refunded", account.refunded)
            self._equal(pi, "its charges' disputed", disputed, "charged back", account.sums["chargeback"])
            self._equal(pi, "its refunds", refunds[pi], "refunded", account.refunded)

    def _equal(self, pi: str, what: str, is_: int, other: str, should: int) -> None:
        if is_ != should:
            self._unequal(pi, what, is_, other, should)

    def _unequal(self, pi: str, what: str, is_: int, other: str, should: int) -> None:
        self.problems.append(f"{pi}: {what} is {is_}, {other} is {should}")


def verify(path: Path, anchor: tuple[int, str] | None = None) -> Verified:
    """Check chain and conservation; `anchor` is (n, head) as told during the run by the control.

    Only an anchor shows that whole lines were cut off at the end. Raises OSError when there is no file.
    """
    books, lines, head, end = _Books(), 0, "", 0
    anchored = anchor is None or anchor[0] == 0
    try:
        for each in walk(path):
            lines, head, end = lines + 1, each.digest, each.end
            books.take(orjson.loads(each.json))
            anchored = anchored or (lines, head) == anchor
        books.close()
    except ChainBroken as error:
        books.problems.append(str(error))
    except (ValueError, KeyError, TypeError) as error:
        books.problems.append(f"line {lines}: not a line of this version ({error!r})")
    if not anchored and anchor is not None:
        books.problems.append(
            f"line {anchor[0]} is not the one that was anchored during the run ({anchor[1]})"
        )
    torn = path.stat().st_size > end
    return Verified(lines, head, torn, books.effects, tuple(books.problems), books.double.found())
