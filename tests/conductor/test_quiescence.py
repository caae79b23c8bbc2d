"""When the waiting for quiet ends, and what it may not excuse."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from paydrill import quiescence
from paydrill.errors import PaydrillError
from paydrill.run_folder import RunFolder
from paydrill.target import FactSource, Timing
from paydrill.topology import Node, Topology

OPEN_WORK = FactSource("open_work", "db", sql="open_work.sql", query="open_work.sql")
ORDERS = FactSource("sut_fact", "db", sql="orders.sql", query="orders.sql")


class Stack:
    """A stack that says, look by look, how much is open (None: the read fails) and pending."""

    def __init__(self, folder, looks, facts=(ORDERS,), open_work=OPEN_WORK):
        timing = Timing(t_settle_s=1.0, t_comp_s=0.6)
        target = SimpleNamespace(folder=folder, open_work=open_work, facts=facts)
        self.setup = SimpleNamespace(target=target, timing=timing)
        self.topology = Topology("t", "t", (Node("db-1", "db", 1),), ())
        self.looks = list(looks)
        self.psps = {"psp": self}

    def sql(self, node, query, timeout_s):
        if query == "orders.sql":
            return []
        now = self.looks[0]
        if now[0] is None:
            raise PaydrillError("the database is down")
        return [{"open": now[0]}]

    def status(self):
        now = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return SimpleNamespace(pending=now[1])


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(quiescence, "POLL_S", 0.01)
    monkeypatch.setattr(quiescence, "OWED_POLL_S", 0.01)
    monkeypatch.setattr(quiescence, "charges_without_order", lambda run, rows: 0)
    monkeypatch.setattr(quiescence, "orders_as_read", lambda run: [])


def wait(stack, tmp_path, stop=False, read_orders=lambda: None):
    return quiescence.wait_until_settled(stack, RunFolder(tmp_path), lambda: stop, read_orders)


def test_two_quiet_looks_in_a_row_end_it(tmp_path):
    seen = wait(Stack(tmp_path, [(3, 0), (0, 1), (0, 0), (1, 0), (0, 0), (0, 0)]), tmp_path)
    assert seen.in_time
    assert (seen.open_work, seen.psp_pending) == (0, 0)


@pytest.mark.parametrize("look", [(2, 0), (0, 1)])
def test_what_never_becomes_quiet_is_said_at_t_settle(tmp_path, look):
    seen = wait(Stack(tmp_path, [look]), tmp_path)
    assert not seen.in_time
    assert seen.waited_s >= 1.0


def test_a_target_that_cannot_be_asked_does_not_hold_up_the_end_for_ever(tmp_path):
    seen = wait(Stack(tmp_path, [(None, 0)]), tmp_path)
    assert seen.open_work is None
    assert seen.in_time


def test_what_another_psp_has_still_to_do_is_waited_for(tmp_path):
    stack = Stack(tmp_path, [(0, 0)])
    stack.psps["psp2"] = SimpleNamespace(status=lambda: SimpleNamespace(pending=1))
    seen = wait(stack, tmp_path)
    assert (seen.psp_pending, seen.in_time) == (1, False)


def test_a_stop_ends_it_at_once(tmp_path):
    assert not wait(Stack(tmp_path, [(5, 5)]), tmp_path, stop=True).in_time


def test_a_charge_without_an_order_is_waited_for_until_t_comp(tmp_path, monkeypatch):
    monkeypatch.setattr(quiescence, "charges_without_order", lambda run, rows: 1)
    seen = wait(Stack(tmp_path, [(0, 0)]), tmp_path)
    assert (seen.owed, seen.in_time) == (1, False)
    assert seen.waited_s >= 0.6


def test_a_charge_that_is_given_back_meanwhile_ends_the_wait(tmp_path, monkeypatch):
    owed = iter([1, 1, 0])
    monkeypatch.setattr(quiescence, "charges_without_order", lambda run, rows: next(owed))
    seen = wait(Stack(tmp_path, [(0, 0)]), tmp_path)
    assert (seen.owed, seen.in_time) == (0, True)


def test_a_target_that_tells_all_is_not_read_through_its_public_api(tmp_path):
    reads = []
    wait(Stack(tmp_path, [(0, 0)]), tmp_path, read_orders=lambda: reads.append(1))
    assert reads == []


def test_a_target_that_tells_nothing_is_read_until_no_order_is_open(tmp_path, monkeypatch):
    still_open = iter([3, 1, 0])
    reads = []
    monkeypatch.setattr(quiescence, "open_as_read", lambda run: next(still_open))
    stack = Stack(tmp_path, [(0, 0)], facts=(), open_work=None)
    seen = wait(stack, tmp_path, read_orders=lambda: reads.append(1))
    assert (seen.open_work, seen.owed, seen.in_time) == (0, 0, True)
    assert len(reads) == 3


def test_orders_that_stay_open_for_the_public_are_said_at_t_settle(tmp_path, monkeypatch):
    monkeypatch.setattr(quiescence, "open_as_read", lambda run: 2)
    seen = wait(Stack(tmp_path, [(0, 0)], facts=(), open_work=None), tmp_path)
    assert (seen.open_work, seen.in_time) == (2, False)
    assert seen.waited_s >= 1.0


def test_a_charge_whose_order_does_not_read_as_paid_is_waited_for_until_t_comp(tmp_path, monkeypatch):
    monkeypatch.setattr(quiescence, "open_as_read", lambda run: 0)
    monkeypatch.setattr(quiescence, "orders_as_read", lambda run: [{"kind": "order"}])
    monkeypatch.setattr(quiescence, "charges_without_order", lambda run, rows: len(rows))
    seen = wait(Stack(tmp_path, [(0, 0)], facts=(), open_work=None), tmp_path)
    assert (seen.owed, seen.in_time) == (1, False)
    assert seen.waited_s >= 0.6
