"""How a narrow edge is witnessed, without one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from paydrill.faults import width
from paydrill.faults.talk import Heard
from paydrill.topology import Edge

EDGE = Edge("orders-1", "payments-1")
BEFORE = Heard(EDGE.name, "closed", 4000, 300, 0.01, 0.01, 3)
SLOW = Heard(EDGE.name, "closed", 4000, 300, 0.25, 0.25, 40)
PASSED_AT_ONCE = Heard(EDGE.name, "closed", 4000, 300, 0.06, 0.06, 10)
JUDGE = width.slowed_to("upstream", 0.2 / 4000)


@pytest.fixture
def witness(monkeypatch):
    """The witness of an edge that answers like this, one conversation after the other; and how many there were."""

    def of(*heard):
        left = list(heard)
        monkeypatch.setattr(width, "talk", lambda stack, words, patience_s: (left.pop(0),))
        narrow = width.Narrow(SimpleNamespace(), (), (BEFORE,), JUDGE)
        return narrow.witness(), len(heard) - len(left)

    return of


def test_a_slow_conversation_is_enough(witness):
    seen, talks = witness(SLOW, SLOW)
    assert (seen.witnessed, talks) == (True, 1)
    assert seen.measured["probe_bytes_per_edge"] == BEFORE.bytes + SLOW.bytes


def test_one_that_was_let_through_at_a_change_is_tried_again_and_all_its_bytes_are_told(witness):
    seen, talks = witness(PASSED_AT_ONCE, SLOW)
    assert (seen.witnessed, talks) == (True, 2)
    assert seen.measured["probe_bytes_per_edge"] == BEFORE.bytes + PASSED_AT_ONCE.bytes + SLOW.bytes


def test_an_edge_that_is_not_narrow_is_never_witnessed(witness):
    seen, talks = witness(*[BEFORE] * 9)
    assert (seen.witnessed, talks) == (False, width.MOST_TALKS)


def test_one_that_was_nearly_as_slow_before_shows_nothing():
    slow_already = Heard(EDGE.name, "closed", 4000, 300, 0.17, 0.17, 3)
    assert not JUDGE(slow_already, Heard(EDGE.name, "closed", 4000, 300, 0.4, 0.4, 40))
    assert not JUDGE(Heard(EDGE.name, "closed", 4000, 300, 0.13, 0.13, 3), SLOW)
