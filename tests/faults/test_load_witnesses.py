"""What the load's faults see, with the arrivals that they bring and without them."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from paydrill import faults
from paydrill.faults import Arrivals, flash_crowd, ramp, spike, thundering_herd


def watched(watch, counts, every_s=0.05, due=None):
    """The witness of a watch that has seen (all, of the crowd) again and again; due: of the plan, else all."""
    watch.counts = [
        Arrivals(number * every_s, all_ if due is None else due[number][0], all_, {flash_crowd.CLASS: crowd})
        for number, (all_, crowd) in enumerate(counts)
    ]
    return watch.witness()


def steady(per_s, seconds, crowd_per_s=0.0):
    return [(int(per_s * t / 20), int(crowd_per_s * t / 20)) for t in range(int(seconds * 20) + 1)]


def climbing(from_per_s, to_per_s, seconds):
    looks = int(seconds * 20)
    rise = (to_per_s - from_per_s) / seconds
    return [(int(from_per_s * t / 20 + rise * (t / 20) ** 2 / 2), 0) for t in range(looks + 1)]


GAUGE = SimpleNamespace(arrivals=lambda: Arrivals(0.0, 0, 0))


@pytest.mark.parametrize(
    ("counts", "to", "seen"),
    [
        (climbing(10, 60, 6), 60, True),
        (climbing(60, 10, 6), 10, True),
        (steady(10, 6), 60, False),
        (steady(60, 6), 10, False),
        (steady(0, 6), 60, False),
        (climbing(10, 60, 6)[:8], 60, False),
        ([], 60, False),
        (climbing(30, 39, 1), 45, True),
        (climbing(30, 90, 1), 100, True),
        (steady(30, 1), 120, False),
    ],
    ids=[
        *("up", "down", "not up", "not down", "nobody comes", "too short a look", "no look"),
        *("short and by chance a little off", "short", "short and not up"),
    ],
)
def test_a_ramp_is_seen_when_the_rate_goes_where_it_should(counts, to, seen):
    assert watched(ramp.Ramping(GAUGE, rate_per_s=to), counts).witnessed is seen


@pytest.mark.parametrize("watch", [ramp.Ramping, flash_crowd.Crowding, thundering_herd.Stampeding])
def test_before_the_load_has_told_anything_there_is_nothing_to_see(watch):
    early = watch(GAUGE)
    early.step()
    assert early.counts == [] and not early.witness().witnessed


def test_a_ramp_of_a_second_is_seen_in_the_few_counts_that_are_told_of_it():
    told = climbing(30, 90, 1)[::5]
    assert watched(ramp.Ramping(GAUGE, rate_per_s=100), told, every_s=0.25).witnessed


def test_a_look_at_which_nothing_new_was_told_is_no_count():
    told = [Arrivals(7.0, 3, 3), Arrivals(7.0, 3, 3), Arrivals(7.25, 5, 4)]
    left = iter(told)
    watch = ramp.Ramping(SimpleNamespace(arrivals=lambda: next(left)), rate_per_s=100)
    for _ in told:
        watch.due_s = 0.0
        watch.step()
    assert watch.counts == [told[0], told[2]]


def test_a_ramp_whose_customers_do_not_come_is_not_seen():
    planned = climbing(10, 60, 6)
    fewer = [(all_ * 7 // 10, 0) for all_, _ in planned]
    assert watched(ramp.Ramping(GAUGE, rate_per_s=60), planned, due=planned).witnessed
    assert not watched(ramp.Ramping(GAUGE, rate_per_s=60), fewer, due=planned).witnessed


def loaded(due_per_s, came_per_s, before_per_s=10):
    """A gauge whose load has just sped up; it tells four times a second."""
    began_s = time.monotonic()

    def arrivals():
        since_s = (time.monotonic() - began_s) // 0.25 * 0.25
        before = before_per_s * 100
        return Arrivals(
            began_s + since_s, int(before + due_per_s * since_s), int(before + came_per_s * since_s)
        )

    return SimpleNamespace(arrivals=arrivals)


@pytest.mark.parametrize(
    ("due", "came", "seen"),
    [(120, 118, True), (96, 94, True), (120, 60, False), (30, 30, False), (0, 0, False)],
    ids=["as planned", "few by chance", "half of the planned", "none was planned", "nobody"],
)
def test_a_spike_is_seen_when_as_many_come_as_were_planned(due, came, seen):
    assert spike.Spiking(loaded(due, came), 120.0).witness().witnessed is seen


@pytest.mark.parametrize(
    ("counts", "seen"), [(steady(30, 4, 20), True), (steady(30, 4), False), (steady(30, 4, 5), False)]
)
def test_a_crowd_is_seen_when_its_customers_come_and_not_when_others_do(counts, seen):
    witness = watched(flash_crowd.Crowding(GAUGE, rate_per_s=20.0), counts)
    assert witness.witnessed is seen
    assert witness.measured["crowd_share"] == pytest.approx(counts[-1][1] / counts[-1][0], abs=0.02)


def with_herds(counts, herds, customers, told_after=0.25):
    """The count is told four times a second only."""
    told, shown = [], counts[0][0]
    for look, (all_, _) in enumerate(counts):
        now = all_ + sum(customers for at_s in herds if look / 20 >= at_s)
        if look % round(told_after * 20) == 0:
            shown = now
        told.append((shown, 0))
    return told


@pytest.mark.parametrize(
    ("usual", "herds", "customers", "times"),
    [
        (10, [1.4, 3.4], 40, 2),
        (10, [1.4, 3.4, 5.4], 20, 3),
        (10, [], 40, 0),
        (100, [], 20, 0),
        (100, [1.4], 40, 1),
        (0, [0.4], 5, 1),
    ],
)
def test_herds_are_counted_whatever_comes_at_other_times(usual, herds, customers, times):
    counts = with_herds(steady(usual, 7), herds, customers)
    witness = watched(thundering_herd.Stampeding(GAUGE, customers=customers), counts)
    assert (witness.witnessed, witness.measured["herds"]) == (times > 0, times)


def test_herds_are_counted_by_the_time_between_two_counts_and_not_by_looks():
    """Seen in a drill: a conductor with much to do looked every 0.1 s, and each ten looks had a herd in them."""
    herds = [0.4, 1.45, 2.5]
    counts = [30 * t / 20 + sum(35 for at_s in herds if t / 20 >= at_s) for t in range(0, 61, 2)]
    watch = thundering_herd.Stampeding(GAUGE, customers=35)
    watch.counts = [Arrivals(look / 10, int(all_), int(all_)) for look, all_ in enumerate(counts)]
    witness = watch.witness()
    assert (witness.witnessed, witness.measured["herds"]) == (True, 3)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("junk_flood", {"rate_per_s": 101.0}),
        ("slow_clients", {"connections": 257}),
        ("slow_clients", {"connections": 0}),
        ("slow_clients", {"connections": 5, "gap_ms": 10}),
        ("thundering_herd", {"customers": 401}),
        ("thundering_herd", {"customers": 5, "pause_ms": 200}),
        ("stale_webhook", {"age_s": 300}),
        *((name, {"rate_per_s": 21.0}) for name in ("forged_webhook", "replayed_webhook", "sqli_probe", "idor_probe")),
    ],
)  # fmt: skip
def test_what_would_be_too_much_is_refused_at_once(name, fields):
    with pytest.raises(ValueError, match=r"at most|at least"):
        faults.known()[name](**fields)
