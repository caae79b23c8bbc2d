"""Evidence comes late, twice and in any order: payment, order and ledger end the same."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "targets" / "reference"))
from services.database import Database
from services.payment_rows import CAME_TO_NOTHING, HOLDS_MONEY, OPEN_PAYMENT
from services.payment_states import Cause
from services.psp_outcomes import (
    ActionRequired,
    Authorised,
    Canceled,
    Captured,
    Declined,
    NotExecuted,
    OperationFailed,
    Pending,
    Unknown,
)
from services.settlement import settle

SOURCE = Path(__file__).parents[2] / "targets" / "reference"
PI = "pi_of_the_order"
CAPTURED = Captured(PI, 435, "USD")
NEWS = {
    "paid at once": [CAPTURED],
    "paid after a challenge": [ActionRequired(PI), CAPTURED],
    "paid later": [Pending(PI), CAPTURED],
    "paid after a challenge and a hold": [ActionRequired(PI), Authorised(PI, 435, "USD"), CAPTURED],
    "declined": [Declined(PI, "card_declined")],
    "refused in the challenge": [ActionRequired(PI), Declined(PI, "authentication_failed")],
    "failed later": [Pending(PI), Declined(PI, "card_declined")],
    "expired": [Authorised(PI, 435, "USD"), Canceled(PI)],
}
NO_NEWS = [Unknown("TimeoutError"), Unknown("overloaded", sent=False)]


@pytest.fixture(scope="module")
def database(pg):
    name = pg.new_database(SOURCE / "sql")
    pg.sql(
        name,
        "CREATE SEQUENCE made; "
        "CREATE FUNCTION make(capture text) RETURNS text LANGUAGE sql AS $$ "
        "WITH n AS (SELECT nextval('made')::text AS n), "
        "o AS (INSERT INTO orders (id, customer, client_ref, state, total, currency, price_rule, pay_attempt) "
        "SELECT 'ord_' || n, 'ann', n, 'payment_pending', 435, 'USD', 1, 1 FROM n), "
        "p AS (INSERT INTO payments (id, order_id, attempt, amount, currency, token, state, psp_key, next_check_at, capture) "
        "SELECT 'pay_' || n, 'ord_' || n, 1, 435, 'USD', 'pm_pd_1', 'submitted', 'key_' || n, now(), $1 FROM n) "
        "SELECT n FROM n $$",
    )
    return f"postgresql://postgres@127.0.0.1:{pg.port}/{name}"


async def told(url, outcomes, capture="now"):
    """What a payment, its order and the ledger are after that news, each in a transaction of its own."""
    async with Database.open(url, size=2) as db:
        async with db.connection() as connection:
            n = await connection.fetchval("SELECT make($1)", capture)
        own = [_of(outcome, n) for outcome in outcomes]
        states = []
        for outcome in own:
            async with db.transaction() as tx:
                states.append(await settle(tx, f"pay_{n}", outcome, Cause("test")))
        async with db.connection() as connection:
            order = await connection.fetchval("SELECT state FROM orders WHERE id = $1", f"ord_{n}")
            lines = await connection.fetch(
                "SELECT account, amount FROM ledger_entries WHERE order_id = $1 ORDER BY line", f"ord_{n}"
            )
            surplus = await connection.fetchval(
                "SELECT count(*) FROM refunds WHERE order_id = $1", f"ord_{n}"
            )
            history = await connection.fetch(
                "SELECT from_state, to_state FROM payment_history WHERE payment_id = $1 ORDER BY seq",
                f"pay_{n}",
            )
        assert [row["to_state"] for row in history][-1:] == states[-1:] or not history
        return states[-1], order, [tuple(line) for line in lines], surplus


def _of(outcome, n):
    """The same news of a charge of its own: PSP ids are unique."""
    psp_id = getattr(outcome, "psp_id", None)
    if psp_id is None:
        return outcome
    return type(outcome)(**{**outcome.__dict__, "psp_id": f"{psp_id}_{n}"})


def kind_of(state):
    """A payment that failed late and one that was declined at once are the same to everybody."""
    return "nothing" if state in CAME_TO_NOTHING else "money" if state in HOLDS_MONEY else "open"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), what=st.sampled_from(sorted(NEWS)))
def test_any_order_and_number_of_news_ends_the_same(database, data, what):
    news = NEWS[what]
    capture = "later" if any(isinstance(outcome, Authorised) for outcome in news) else "now"
    again = data.draw(st.lists(st.sampled_from(news + NO_NEWS), max_size=4))
    mixed = data.draw(st.permutations([*news, *again]))
    state, *rest = asyncio.run(told(database, news, capture))
    mixed_state, *mixed_rest = asyncio.run(told(database, mixed, capture))
    assert (kind_of(mixed_state), mixed_rest) == (kind_of(state), rest)
    assert kind_of(state) != "open"


@pytest.mark.parametrize("state", sorted(OPEN_PAYMENT))
@pytest.mark.parametrize("no_proof", [*NO_NEWS, NotExecuted("resource_missing")], ids=str)
def test_what_proves_nothing_ends_no_payment_that_the_psp_has(database, pg, state, no_proof):
    async def after():
        async with Database.open(database, size=2) as db:
            async with db.connection() as connection:
                n = await connection.fetchval("SELECT make('later')")
                await connection.execute(
                    """UPDATE payments SET state = $2, psp_id = 'pi_' || $1, op = $3, op_key = $3 || $1
                       WHERE id = 'pay_' || $1""",
                    n, state, {"capturing": "capture", "voiding": "void", "unknown": "capture"}.get(state),
                )  # fmt: skip
            async with db.transaction() as tx:
                return await settle(tx, f"pay_{n}", no_proof, Cause("test"))

    assert asyncio.run(after()) in OPEN_PAYMENT


def test_a_second_charge_goes_back_and_the_first_one_stays(database):
    other = Captured("pi_another", 435, "USD")
    state, order, lines, surplus = asyncio.run(told(database, [CAPTURED, other, other, CAPTURED]))
    assert (state, order, surplus) == ("captured", "paid", 1)
    assert sorted(lines) == [
        ("psp_clearing", 435),
        ("psp_clearing", 435),
        ("revenue", -435),
        ("suspense", -435),
    ]


@pytest.mark.parametrize(
    "wrong", [Captured(PI, 434, "USD"), Captured(PI, 436, "USD"), Captured(PI, 435, "EUR")]
)
def test_a_charge_of_another_amount_or_currency_goes_back(database, wrong):
    state, order, lines, surplus = asyncio.run(told(database, [wrong]))
    assert (state, order, surplus) == ("failed", "payment_failed", 1)
    assert [account for account, _ in lines] == ["psp_clearing", "suspense"]


def test_a_hold_that_the_order_cannot_use_is_let_go(database):
    state, order, lines, _ = asyncio.run(told(database, [Authorised(PI, 500, "USD"), Canceled(PI)], "later"))
    assert (state, order, lines) == ("voided", "payment_failed", [])


def test_an_operation_that_failed_leaves_the_hold_as_it_was(database):
    held = [Authorised(PI, 435, "USD"), OperationFailed(PI, "amount_too_large")]
    state, order, _, _ = asyncio.run(told(database, held, "later"))
    assert (state, order) == ("authorised", "under_review")
