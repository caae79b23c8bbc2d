"""The ledger, the report of breaks and the settlement file: our books, the PSP's, and where they differ."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture(scope="module")
def books(request):
    """A stack of this file's own, whose settlement file is matched often; the PSP keeps 1.5 % of each charge."""
    start_stack = request.getfixturevalue("start_stack_for_module")
    with start_stack(env={"SETTLEMENT_PERIOD_S": "0.5"}) as stack:
        yield stack


def imbalances(stack):
    return stack.sql(
        "SELECT ref, currency FROM ledger_entries GROUP BY 1, 2 HAVING sum(amount) <> 0 OR count(*) <> 2"
    )


def clearing_by_currency(stack):
    rows = stack.sql(
        "SELECT currency, sum(amount) FROM ledger_entries WHERE account = 'psp_clearing' GROUP BY 1 ORDER BY 1"
    )
    return [(currency, int(amount)) for currency, amount in rows]


def settled_by_currency(stack):
    """What the PSP's own file of today adds up to."""
    sums = {}
    for line in stack.settlement_file():
        currency = line["currency"].upper()
        sums[currency] = sums.get(currency, 0) + int(line["net"])
    return sorted(sums.items())


def test_the_ledger_can_be_neither_changed_nor_unbalanced(stack, token):
    order = stack.create("immutable")
    stack.pay(order, token, "immutable-pay")
    for change in (
        "UPDATE ledger_entries SET amount = amount + 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "INSERT INTO ledger_entries (ref, line, account, amount, currency, psp, cause) "
        "VALUES ('capture:x', 1, 'revenue', 5, 'USD', 'psp', 'test')",
        "INSERT INTO ledger_entries (ref, line, account, amount, currency, psp, cause) "
        "VALUES ('capture:x', 1, 'revenue', 5, 'USD', 'psp', 'test'), ('capture:x', 2, 'fees', -5, 'EUR', 'psp', 'test')",
    ):
        with pytest.raises(AssertionError, match=r"append-only|does not balance"):
            stack.sql(change)
    assert imbalances(stack) == []


def test_every_movement_is_posted_once_and_agrees_with_the_psps_file(books, await_that):
    stack = books
    stack.psp.behave(
        {"commit_then_drop": 0.2, "commit_then_500": 0.1, "webhook_duplicate": 0.5, "fee_bp": 150}
    )
    orders = [stack.create(f"books-{n}") for n in range(16)]
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(stack.pay, o, next(stack.tokens), f"{o}-pay") for o in orders]:
            done.result()
        for done in [pool.submit(stack.refund, o, 35, f"{o}-refund") for o in orders[:5]]:
            done.result()
    stack.psp.behave({})
    stack.charge_at_psp(next(stack.tokens), 777, {"order": orders[0]})
    stack.settle()
    # The books agree for a moment before it too: with the stranger's charge in both, its refund in neither.
    suspense = "SELECT sum(amount) FROM ledger_entries WHERE account = 'suspense'"
    await_that(lambda: stack.sql(suspense) == [["0"]], "what nobody asked for was posted and went back")
    await_that(
        lambda: clearing_by_currency(stack) == settled_by_currency(stack) and settled_by_currency(stack),
        "the clearing account agrees with the PSP's file",
    )
    assert imbalances(stack) == []
    by_account = dict(stack.sql("SELECT account, sum(amount) FROM ledger_entries GROUP BY 1"))
    assert (by_account["revenue"], by_account["refunds"], by_account["suspense"]) == (
        str(-16 * 435),
        "175",
        "0",
    )
    assert int(by_account["fees"]) == sum(int(line["fee"]) for line in stack.settlement_file())
    unmatched = "SELECT count(*) FROM settlement_lines WHERE matched_at IS NULL"
    await_that(lambda: stack.sql(unmatched) == [["0"]], "all lines are matched")
    assert stack.sql("SELECT count(*) FROM recon_breaks WHERE resolved_at IS NULL") == [["0"]]


def test_strangers_are_reported_with_what_became_of_them(books, await_that):
    stack = books
    waiting = stack.create("breaks-waiting")
    attached = stack.charge_at_psp(next(stack.tokens), 435, {"order": waiting})
    orphan = stack.charge_at_psp(next(stack.tokens), 500, {})
    paid = stack.create("breaks-paid")
    stack.pay(paid, next(stack.tokens), "breaks-paid-pay")
    surplus = stack.charge_at_psp(next(stack.tokens), 435, {"order": paid})
    expected = {
        (attached, "charge_without_order", "435", "attached"),
        (orphan, "charge_without_order", "500", "refunded"),
        (surplus, "surplus_charge", "435", "refunded"),
    }

    def found():
        subjects = f"('{attached}', '{orphan}', '{surplus}')"
        rows = stack.sql(f"SELECT subject, kind, amount, how FROM recon_breaks WHERE subject IN {subjects}")
        return {tuple(row) for row in rows} == expected

    await_that(found, "three breaks are reported and resolved")
    shown = stack.admin("/admin/reconcile").body["breaks"]
    assert {row["subject"] for row in shown} >= {attached, orphan, surplus}


def test_an_entry_without_a_line_and_another_amount_are_differences(books, await_that):
    stack = books
    entry = "INSERT INTO ledger_entries (ref, line, account, amount, currency, psp, cause) VALUES"
    stack.sql(
        f"{entry} ('capture:pi_made_up', 1, 'psp_clearing', 5, 'USD', 'psp', 'test'), "
        "('capture:pi_made_up', 2, 'revenue', -5, 'USD', 'psp', 'test')"
    )
    order, token = stack.create("differs"), next(stack.tokens)
    body = {"payment_token": f"pm_pd_{token}_async", "amount": 435, "currency": "USD"}
    stack.post(f"/v1/orders/{order}/pay", body, "differs-pay")
    intent = stack.sql(f"SELECT psp_id FROM payments WHERE order_id = '{order}'")[0][0]
    stack.sql(
        f"{entry} ('capture:{intent}', 1, 'psp_clearing', 434, 'USD', 'psp', 'test'), "
        f"('capture:{intent}', 2, 'revenue', -434, 'USD', 'psp', 'test')"
    )
    wanted = [["amount_differs", f"capture:{intent}"], ["entry_without_line", "capture:pi_made_up"]]
    kinds = "('line_without_entry', 'entry_without_line', 'amount_differs')"
    found = f"SELECT kind, subject FROM recon_breaks WHERE kind IN {kinds} AND how IS NULL ORDER BY kind"
    await_that(lambda: stack.sql(found) == wanted, "two differences are open")
    (day,) = stack.admin("/admin/settlements").body["settlements"]
    assert day["matched"] == day["lines"] - 1 == len(stack.settlement_file()) - 1
