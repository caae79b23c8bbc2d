from __future__ import annotations

from itertools import pairwise

import pytest

from paydrill.errors import UsageError
from paydrill.load import classes
from paydrill.load.arrivals import arrivals, arrivals_of
from paydrill.load.customers import customers
from paydrill.load.intents import IntentMaker, token_of
from paydrill.load.products import Shelves, read_products
from paydrill.plan import Crowd, Herd, PlannedLoad, Segment

ROWS = (
    {"sku": "tea", "unit_price": 435, "currency": "EUR"},
    {"sku": "cup", "unit_price": 1999, "currency": "EUR"},
    {"sku": "rice", "unit_price": 870, "currency": "JPY", "weight": 3},
)


def maker(seed=1, mix=None):
    return IntentMaker(
        seed,
        mix or {"checkout": 3, "read": 1},
        classes.known(),
        Shelves(read_products(ROWS)),
        customers(seed, 20),
    )


def test_arrivals_are_byte_equal_for_a_seed_and_differ_for_another():
    segments = (Segment(0, 5, 40), Segment(5, 8, 200))
    assert arrivals(segments, 7).tobytes() == arrivals(segments, 7).tobytes()
    assert arrivals(segments, 7) != arrivals(segments, 8)


def test_arrivals_keep_the_rate_of_each_segment():
    offsets = arrivals((Segment(0, 50, 40), Segment(50, 60, 400)), 3)
    calm = [at for at in offsets if at < 50e9]
    rush = [at for at in offsets if at >= 50e9]
    assert list(offsets) == sorted(offsets)
    assert abs(len(calm) - 2000) < 5 * 2000**0.5
    assert abs(len(rush) - 4000) < 5 * 4000**0.5
    assert max(offsets) < 60e9


def test_gaps_are_those_of_a_poisson_process():
    offsets = arrivals((Segment(0, 100, 100),), 5)
    gaps = [(b - a) / 1e9 for a, b in pairwise(offsets)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert 0.9 < variance**0.5 / mean < 1.1


def test_a_segment_without_a_rate_has_no_arrivals():
    assert len(arrivals((Segment(0, 10, 0),), 1)) == 0


def test_an_intent_depends_on_seed_and_number_only():
    one, other, third = maker(), maker(), maker(seed=2)
    forwards = [one.make(index, 0) for index in range(50)]
    backwards = [other.make(index, 0) for index in reversed(range(50))]
    assert forwards == backwards[::-1]
    assert forwards != [third.make(index, 0) for index in range(50)]


def test_the_mix_sets_the_shares_of_the_classes():
    makes = maker()
    made = [makes.make(index, 0).cls for index in range(4000)]
    assert abs(made.count("checkout") - 3000) < 150
    assert set(made) == {"checkout", "read"}


def test_about_one_customer_in_five_gives_up():
    makes = maker()
    made = [makes.make(index, 0).policy for index in range(4000)]
    assert abs(sum(policy.retries == 0 for policy in made) - 800) < 150
    for policy in made:
        assert len(policy.delays_s) == policy.retries


def test_a_cart_adds_up_in_one_currency():
    prices = {row["sku"]: row for row in ROWS}
    makes = maker()
    for intent in (makes.make(index, 0) for index in range(300)):
        if intent.cls == "read":
            assert (intent.items, intent.amount) == ([], 0)
            continue
        lines = [(prices[line["sku"]], line["qty"]) for line in intent.items]
        assert {row["currency"] for row, _ in lines} == {intent.currency}
        assert sum(row["unit_price"] * qty for row, qty in lines) == intent.amount > 0
        assert len({line["sku"] for line in intent.items}) == len(intent.items)


def test_customers_are_the_same_for_a_seed_and_all_different():
    assert customers(4, 50) == customers(4, 50)
    assert customers(4, 50) != customers(5, 50)
    assert len({person.email for person in customers(4, 50)}) == 50


def test_tokens_of_different_tries_never_meet():
    tokens = [token_of(intent, try_no) for intent in range(1, 200) for try_no in (1, 2, 15)]
    assert len(set(tokens)) == len(tokens)
    with pytest.raises(ValueError, match="try_no"):
        token_of(1, 16)


@pytest.mark.parametrize(
    "row", [{"sku": "x", "currency": "EUR"}, {"sku": "x", "unit_price": 1.5, "currency": "EUR"}]
)
def test_a_wrong_catalogue_row_is_named(row):
    with pytest.raises(UsageError, match=r"catalogue\[1\]"):
        read_products((ROWS[0], row))


LOAD = PlannedLoad(
    (Segment(0, 10, 40),),
    {"checkout": 1},
    100,
    crowds=(Crowd(2.0, 6.0, 30.0, "hot_sku", "cup", 5), Crowd(4.0, 6.0, 30.0, "hot_sku", "tea", 2)),
    herds=(Herd(3.0, 25), Herd(5.0, 25)),
)


def test_everybody_comes_in_order_and_the_mix_comes_as_it_would_alone():
    found = arrivals_of(LOAD, 3)
    assert list(found.offsets) == sorted(found.offsets)
    assert found == arrivals_of(LOAD, 3)
    mix = [at for index, at in enumerate(found.offsets) if index not in found.of_crowd]
    herds = [int(3e9)] * 25 + [int(5e9)] * 25
    assert mix == sorted([*arrivals(LOAD.segments, 3), *herds])


def test_a_herd_comes_in_one_instant():
    found = arrivals_of(LOAD, 3)
    assert [list(found.offsets).count(int(at_s * 1e9)) for at_s in (3, 5)] == [25, 25]


def test_a_crowd_keeps_its_rate_its_time_and_its_wish():
    found = arrivals_of(LOAD, 3)
    for crowd in LOAD.crowds:
        times = [found.offsets[index] / 1e9 for index, one in found.of_crowd.items() if one is crowd]
        assert all(crowd.at_s <= at_s < crowd.end_s for at_s in times)
        expected = (crowd.end_s - crowd.at_s) * crowd.rate_per_s
        assert 0.7 * expected <= len(times) <= 1.3 * expected
    people = IntentMaker(
        3,
        {"checkout": 1},
        classes.known(),
        Shelves(read_products(ROWS)),
        customers(3, 20),
        of_crowd=found.of_crowd,
    )
    for index in range(len(found.offsets)):
        intent = people.make(index, 0)
        if crowd := found.of_crowd.get(index):
            assert (intent.cls, intent.items) == ("hot_sku", [{"sku": crowd.sku, "qty": crowd.units}])
            assert intent.amount == crowd.units * {"cup": 1999, "tea": 435}[crowd.sku]
        else:
            assert intent.cls == "checkout"
