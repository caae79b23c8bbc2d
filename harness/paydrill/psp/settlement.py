"""The provider's account with its merchant: what moved, day by day, as a settlement file and a balance."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

COLUMNS = ("type", "id", "payment_intent", "charge", "amount", "currency", "fee", "net", "created")
_FILE = re.compile(r"(\d{4}-\d\d-\d\d)\.csv")


@dataclass(frozen=True, slots=True)
class Movement:
    """Money into (positive) or out of the merchant's account. `currency` is the wire form.

    `id` is the charge, refund or dispute; `created` unix seconds. A refund that failed after it was
    done comes back as a refund of a positive amount.
    """

    type: Literal["charge", "refund", "dispute"]
    id: str
    intent: str
    charge: str
    amount: int
    currency: str
    fee: int
    created: int

    @property
    def net(self) -> int:
        return self.amount - self.fee

    @property
    def day(self) -> str:
        return datetime.fromtimestamp(self.created, UTC).date().isoformat()


@dataclass
class Account:
    """All movements, in order of commit."""

    balance: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _days: defaultdict[str, list[Movement]] = field(default_factory=lambda: defaultdict(list))

    def take(self, movement: Movement) -> None:
        self.balance[movement.currency] += movement.net
        self._days[movement.day].append(movement)

    def of_day(self, day: str) -> tuple[Movement, ...]:
        return tuple(self._days.get(day, ()))


def day_of(name: str) -> str | None:
    """The day that a settlement file's name (`2026-11-24.csv`) is about; None when it is no such name."""
    found = _FILE.fullmatch(name)
    if found is None:
        return None
    try:
        datetime.strptime(found[1], "%Y-%m-%d")
    except ValueError:
        return None
    return found[1]


def file_of(movements: Iterable[Movement]) -> bytes:
    """The CSV, with its head line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in movements:
        writer.writerow(
            (
                one.type,
                one.id,
                one.intent,
                one.charge,
                one.amount,
                one.currency,
                one.fee,
                one.net,
                one.created,
            )
        )
    return text.getvalue().encode()
