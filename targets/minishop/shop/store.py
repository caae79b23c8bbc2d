"""The shop's memory: one SQLite file. Every method is one transaction that is on the disk when it returns."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shop.catalogue import price
from shop.outcomes import Charge, Declined, Paid, Unknown
from shop.refusals import Refused

SCHEMA = Path(__file__).with_name("schema.sql")
BUSY_S = 5.0
NUMBER_BYTES = 9


@dataclass(frozen=True)
class Purchase:
    number: str
    basket: str
    articles: str
    cents: int
    state: str
    revision: int


@dataclass(frozen=True)
class Payment:
    """`made_at` is wall time, seconds."""

    id: str
    purchase: str
    card: str
    cents: int
    state: str
    psp_id: str | None
    made_at: float


PURCHASE = "number, basket, articles, cents, state, revision"
PAYMENT = "id, purchase, card, cents, state, psp_id, made_at"


class Store:
    """One connection a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        with self._connection() as connection:
            connection.executescript(SCHEMA.read_text(encoding="utf-8"))

    def check_out(
        self, basket: str, request_id: str, articles: list[tuple[str, int]], cents: int
    ) -> tuple[Purchase, bool]:
        """The purchase of that basket, and whether it is new. Raises Refused."""
        wanted = json.dumps(articles)
        with self._transaction() as tx:
            found = tx.execute(f"SELECT {PURCHASE} FROM purchase WHERE basket = ?", (basket,)).fetchone()
            if found:
                purchase = Purchase(*found)
                if purchase.articles != wanted or purchase.cents != cents:
                    raise Refused(409, "basket_changed", f"{basket} was checked out as {purchase.number}")
                return purchase, False
            if tx.execute("SELECT 1 FROM purchase WHERE request_id = ?", (request_id,)).fetchone():
                raise Refused(422, "request_id_reused", "this X-Request-Id belongs to another basket")
            if price(articles) != cents:
                raise Refused(409, "price_changed", "these articles cost something else by now")
            number = "M-" + secrets.token_hex(NUMBER_BYTES)
            tx.execute(
                "INSERT INTO purchase (number, basket, request_id, articles, cents, made_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (number, basket, request_id, wanted, cents, time.time()),
            )
            return Purchase(number, basket, wanted, cents, "open", 1), True

    def purchase(self, number: str) -> Purchase:
        """Raises Refused when there is none."""
        return self._purchase("number", number)

    def purchase_of_basket(self, basket: str) -> Purchase:
        """Raises Refused when it was never checked out."""
        return self._purchase("basket", basket)

    def begin_payment(self, number: str, request_id: str, card: str, cents: int) -> Payment:
        """The payment that this request means: a new one, or the one that it began before. Raises Refused.

        It is stored before anybody asks the PSP, so that a crash cannot forget a charge.
        """
        with self._transaction() as tx:
            purchase = self._purchase("number", number)
            if purchase.cents != cents:
                raise Refused(409, "price_changed", f"{number} costs something else")
            for payment, its_request in self._payments(tx, number):
                if its_request == request_id and payment.card != card:
                    raise Refused(422, "request_id_reused", "this X-Request-Id belongs to another card")
                if its_request == request_id or (payment.card == card and payment.state != "refused"):
                    return payment
                if payment.state == "paid":
                    raise Refused(409, "already_paid", f"{number} is paid")
                if payment.state == "asked":
                    raise Refused(409, "being_paid", f"another payment of {number} is under way")
            now = time.time()
            payment = Payment("mp_" + secrets.token_hex(12), number, card, cents, "asked", None, now)
            tx.execute(
                "INSERT INTO payment (id, purchase, request_id, card, cents, made_at, asked_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (payment.id, number, request_id, card, cents, now, now),
            )
            self._set_state(tx, number, "settling")
            return payment

    def note(self, payment: Payment, charge: Charge) -> Payment:
        """Store what the PSP said; what is settled stays as it is. Returns the payment as it is now."""
        with self._transaction() as tx:
            match charge:
                case Paid(psp_id):
                    self._settle(tx, payment, "paid", psp_id, "")
                case Declined(why):
                    self._settle(tx, payment, "refused", payment.psp_id, why)
                case Unknown(psp_id=psp_id, why=why):
                    tx.execute(
                        "UPDATE payment SET psp_id = coalesce(?, psp_id), why = ?, asked_at = ?"
                        " WHERE id = ? AND state = 'asked'",
                        (psp_id, why, time.time(), payment.id),
                    )
            row = tx.execute(f"SELECT {PAYMENT} FROM payment WHERE id = ?", (payment.id,)).fetchone()
            return Payment(*row)

    def unsettled(self, older_than_s: float) -> list[Payment]:
        """Payments whose end is not known, those first that were not asked about for longest."""
        with self._connection() as connection:
            rows = connection.execute(
                f"SELECT {PAYMENT} FROM payment WHERE state = 'asked' AND asked_at <= ? ORDER BY asked_at",
                (time.time() - older_than_s,),
            ).fetchall()
        return [Payment(*row) for row in rows]

    def _purchase(self, key: str, value: str) -> Purchase:
        """Within a transaction too: a thread has one connection."""
        with self._connection() as connection:
            row = connection.execute(f"SELECT {PURCHASE} FROM purchase WHERE {key} = ?", (value,)).fetchone()
        if row is None:
            raise Refused(404, "no_such_purchase", f"there is no purchase with the {key} {value!r}")
        return Purchase(*row)

    def _payments(self, tx: sqlite3.Connection, number: str) -> list[tuple[Payment, str]]:
        rows = tx.execute(
            f"SELECT {PAYMENT}, request_id FROM payment WHERE purchase = ? ORDER BY made_at", (number,)
        )
        return [(Payment(*row[:-1]), row[-1]) for row in rows]

    def _settle(
        self, tx: sqlite3.Connection, payment: Payment, state: str, psp_id: str | None, why: str
    ) -> None:
        done = tx.execute(
            "UPDATE payment SET state = ?, psp_id = ?, why = ?, asked_at = ? WHERE id = ? AND state = 'asked'",
            (state, psp_id, why, time.time(), payment.id),
        )
        if done.rowcount:
            self._set_state(tx, payment.purchase, state)

    def _set_state(self, tx: sqlite3.Connection, number: str, state: str) -> None:
        tx.execute("UPDATE purchase SET state = ?, revision = revision + 1 WHERE number = ?", (state, number))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Writers wait for each other at the beginning, so that none fails in the middle."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if not hasattr(self._local, "connection"):
            connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._local.connection = connection
        yield self._local.connection
