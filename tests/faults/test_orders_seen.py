"""Whose orders there are, as a history gives it away while it is written."""

from __future__ import annotations

import pytest

from paydrill.faults.customer_requests import OrdersSeen, SomebodysOrder
from paydrill.growing_file import GrowingFile
from paydrill.run_folder import LineLog


@pytest.fixture
def seen(tmp_path):
    return OrdersSeen(GrowingFile(tmp_path / "history-0.jsonl"))


def intent(log, number, amount=1999):
    log.write("intent", intent=number, customer=f"cus_{number}", amount=amount, currency="USD")


def answered(log, op, number, ref):
    log.write("invoke", op=op, intent=number)
    log.write("return", op=op, order_ref=ref)


def test_an_order_is_known_once_its_customer_was_told_of_it(seen):
    with LineLog(seen.history.path) as log:
        intent(log, 1)
        intent(log, 2, amount=50)
        log.write("invoke", op=1, intent=1)
        seen.read()
        assert seen.orders == {}
        log.write("return", op=1, order_ref="ord_1")
        answered(log, 2, 2, None)
        seen.read()
        assert seen.orders == {"ord_1": SomebodysOrder("ord_1", 1999, "USD")}
        answered(log, 3, 2, "ord_2")
        seen.read()
        assert set(seen.orders) == {"ord_1", "ord_2"}


def test_a_torn_line_is_read_when_it_is_whole(seen):
    with LineLog(seen.history.path) as log:
        intent(log, 1)
        answered(log, 1, 1, "ord_1")
    whole = seen.history.path.read_bytes()
    seen.history.path.write_bytes(whole[:-5])
    seen.read()
    assert seen.orders == {}
    seen.history.path.write_bytes(whole)
    seen.read()
    assert set(seen.orders) == {"ord_1"}
