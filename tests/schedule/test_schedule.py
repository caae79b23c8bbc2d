"""The conductor's next step: what is due, in which order, and that trouble heals first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from paydrill.events import OnEvent, When
from paydrill.plan import PlannedFault
from paydrill.schedule import (
    Await,
    Finish,
    Fired,
    GiveUp,
    Heal,
    Inject,
    LoadOver,
    Passed,
    Trouble,
    WaitUntil,
    begin,
    next_action,
)


def fault(number: int, at_s: float, end_s: float) -> PlannedFault:
    return PlannedFault(number, "latency", at_s, end_s, {}, ("a->b",))


def waiting(number: int, after_s: float, before_s: float, for_s: float) -> PlannedFault:
    when = When(OnEvent("psp.captured"), after_s, before_s)
    return PlannedFault(number, "latency", after_s, before_s + for_s, {}, ("a->b",), when)


def test_waits_for_the_first_fault_then_injects_and_heals_at_its_times():
    state = begin([fault(0, 5, 11)])
    state, action = next_action(state, Passed(0.0))
    assert action == WaitUntil(5)
    state, action = next_action(state, Passed(5.01))
    assert action == Inject(0)
    state, action = next_action(state, Passed(5.02))
    assert action == WaitUntil(11)
    state, action = next_action(state, Passed(11.0))
    assert action == Heal(0)
    state, action = next_action(state, LoadOver())
    assert action == Finish()


def test_a_fault_that_ends_is_healed_before_the_next_begins():
    state = begin([fault(0, 1, 2), fault(1, 2, 3)])
    state, _ = next_action(state, Passed(1))
    state, action = next_action(state, Passed(2))
    assert action == Heal(0)
    state, action = next_action(state, Passed(2))
    assert action == Inject(1)


def test_the_end_of_the_load_does_not_leave_a_fault_in_force():
    state = begin([fault(0, 1, 9)])
    state, _ = next_action(state, Passed(1))
    state, action = next_action(state, LoadOver())
    assert action == WaitUntil(9)
    state, action = next_action(state, Passed(9))
    assert action == Heal(0)
    _, action = next_action(state, Passed(9))
    assert action == Finish()


def test_trouble_heals_what_is_in_force_and_begins_nothing_more():
    state = begin([fault(0, 1, 9), fault(1, 2, 9)])
    state, _ = next_action(state, Passed(1))
    state, action = next_action(state, Trouble("interrupted"))
    assert action == Heal(0)
    state, action = next_action(state, Passed(2))
    assert action == Finish()


intervals = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    max_size=8,
)


@given(intervals, st.lists(st.integers(0, 80), min_size=1, max_size=40), st.booleans())
def test_whatever_the_clock_does_every_injected_fault_is_healed_once(spans, looks, interrupted):
    state = begin([fault(i, float(a), float(b)) for i, (a, b) in enumerate(spans)])
    injected: list[int] = []
    healed: list[int] = []

    def drain(event):
        nonlocal state
        while True:
            state, action = next_action(state, event)
            if isinstance(action, Inject):
                injected.append(action.fault)
            elif isinstance(action, Heal):
                healed.append(action.fault)
            else:
                return action

    for now in sorted(looks):
        drain(Passed(float(now)))
    if interrupted:
        last = drain(Trouble("interrupted"))
    else:
        drain(LoadOver())
        last = drain(Passed(1000.0))
    assert last == Finish()
    assert sorted(healed) == sorted(injected) == sorted(set(injected))
    if not interrupted:
        assert len(injected) == len(spans)


def test_a_fault_that_waits_begins_with_its_event_and_ends_so_much_later():
    state = begin([waiting(1, 2, 9, 3)])
    state, action = next_action(state, Passed(1))
    assert action == WaitUntil(2)
    state, action = next_action(state, Passed(2))
    assert action == Await(1)
    state, action = next_action(state, Passed(2))
    assert action == WaitUntil(9)
    state, action = next_action(state, Fired(1, 4.5))
    assert action == Inject(1)
    state, action = next_action(state, Passed(4.6))
    assert action == WaitUntil(7.5)
    state, action = next_action(state, Passed(7.5))
    assert action == Heal(1)


def test_a_fault_whose_event_does_not_come_is_given_up():
    state = begin([waiting(1, 2, 9, 3)])
    state, _ = next_action(state, Passed(2))
    state, action = next_action(state, LoadOver())
    assert action == WaitUntil(9)
    state, action = next_action(state, Passed(9))
    assert action == GiveUp(1)
    state, action = next_action(state, Fired(1, 9.1))
    assert action == Finish()


def test_a_fault_whose_event_has_come_begins_before_others_that_are_due():
    state = begin([waiting(1, 2, 9, 3), fault(2, 4, 6)])
    state, _ = next_action(state, Passed(2))
    state, action = next_action(state, Fired(1, 4.0))
    assert action == Inject(1)
    state, action = next_action(state, Passed(4.0))
    assert action == Inject(2)


def test_an_abort_heals_and_begins_nothing_and_says_what_it_was():
    state = begin([fault(0, 1, 9), waiting(1, 0, 5, 3)])
    state, _ = next_action(state, Passed(1))
    state, _ = next_action(state, Passed(1))
    state, action = next_action(state, Trouble("aborted"))
    assert action == Heal(0)
    state, action = next_action(state, Trouble("interrupted"))
    assert (action, state.trouble) == (Finish(), "aborted")


spans = st.tuples(st.integers(0, 40), st.integers(1, 20), st.integers(1, 10))


@given(
    st.lists(spans, max_size=6),
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 8)), max_size=40),
)
def test_whatever_fires_when_each_fault_that_waits_is_healed_once_or_given_up(times, events):
    state = begin([waiting(i, float(a), float(a + b), float(c)) for i, (a, b, c) in enumerate(times)])
    injected: dict[int, float] = {}
    healed: dict[int, float] = {}
    given_up: list[int] = []
    now = 0.0

    def drain(event):
        nonlocal state
        while True:
            state, action = next_action(state, event)
            if isinstance(action, Inject):
                injected[action.fault] = now
            elif isinstance(action, Heal):
                healed[action.fault] = now
            elif isinstance(action, GiveUp):
                given_up.append(action.fault)
            elif not isinstance(action, Await):
                return action
            event = Passed(now)

    for at, which in sorted(events):
        now = float(at)
        drain(Passed(now))
        drain(Fired(which, now))
    now = 1000.0
    drain(LoadOver())
    assert drain(Passed(now)) == Finish()
    assert set(injected) == set(healed)
    assert sorted([*injected, *given_up]) == list(range(len(times)))
    for number, began in injected.items():
        after, within, for_s = times[number]
        assert after <= began < after + within
        assert healed[number] >= began + for_s
