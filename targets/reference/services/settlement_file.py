"""A PSP's daily settlement file: fetched and read. CSV, amounts in minor units, lines in the order of commit."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import aiohttp

from services.settings import PspAccount

FETCH_S = 5.0
POSTING = {"charge": "capture", "refund": "refund", "dispute": "chargeback"}


class NoFile(Exception):
    """The PSP has none for that day, did not answer, or sent something else."""


@dataclass(frozen=True)
class Line:
    """What the PSP has done. `amount`, `fee` and `net` as it counts them: what it gives back is negative."""

    type: str
    id: str
    payment: str
    amount: int
    currency: str
    fee: int
    net: int

    @property
    def ref(self) -> str:
        """The reference of the ledger's posting of the same thing. A refund that failed after it was done comes back
        as a second line of its."""
        if self.type == "refund" and self.amount > 0:
            return f"refund_failed:{self.id}"
        return f"{POSTING[self.type]}:{self.payment if self.type == 'charge' else self.id}"


Lines: TypeAlias = list[Line]


async def fetch(session: aiohttp.ClientSession, psp: PspAccount, day: date) -> Lines:
    """Raises NoFile."""
    url = f"{psp.url}/v1/settlements/{day.isoformat()}.csv"
    headers = {"Authorization": f"Bearer {psp.api_key}"}
    limit = aiohttp.ClientTimeout(total=FETCH_S)
    try:
        async with session.get(url, headers=headers, timeout=limit) as response:
            text = await response.text()
            if response.status != 200:
                raise NoFile(f"status {response.status}")
    except (aiohttp.ClientError, OSError, TimeoutError, UnicodeDecodeError) as error:
        raise NoFile(type(error).__name__) from error
    return read(text)


def read(text: str) -> Lines:
    """Raises NoFile for what is no such file."""
    try:
        return [_line(row) for row in csv.DictReader(text.splitlines(), strict=True)]
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise NoFile(f"not a settlement file: {type(error).__name__}") from error


def _line(row: dict[str, str]) -> Line:
    if row["type"] not in POSTING:
        raise ValueError(row["type"])
    return Line(
        type=row["type"],
        id=row["id"],
        payment=row["payment_intent"],
        amount=int(row["amount"]),
        currency=row["currency"].upper(),
        fee=int(row["fee"] or 0),
        net=int(row["net"] or 0),
    )
