"""What an order costs, by the harness's own reckoning."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydrill.errors import UsageError
from paydrill.load.prices import STEPS, Line, half_up, in_steps, quote, thirds
from paydrill.load.products import LEAST_CHARGE, Shelves, read_products
from paydrill.target import Pricing, Promotion

PRICING = Pricing(
    promotions=(Promotion("TEA15", 15), Promotion("GIFT7", 7, ("set-gift",)), Promotion("THIRD", 33)),
    tax_bp={"EUR": 2000, "CNY": 1300, "JPY": 1000},
)
TEA15, GIFT7, THIRD = PRICING.promotions


@pytest.mark.parametrize(
    ("lines", "currency", "promotion", "expected"),
    [
        ([("odd", 29, 2)], "USD", None, (58, 0, 0)),
        ([("cup", 115, 1)], "USD", TEA15, (98, 17, 0)),  # 17.25 off
        ([("cup", 115, 2)], "USD", TEA15, (195, 35, 0)),  # 34.5 is rounded up
        ([("tea", 435, 1), ("pot", 1999, 1)], "USD", THIRD, (1630, 804, 0)),  # line by line: 143.55, 659.67
        ([("tea", 820, 3), ("set-gift", 12347, 1)], "USD", GIFT7, (13943, 864, 0)),
        ([("tea", 820, 3)], "USD", GIFT7, (2460, 0, 0)),
        ([("matcha", 1250, 1)], "EUR", None, (1250, 0, 208)),  # 208.33 of it is tax
        ([("matcha", 1250, 1)], "EUR", TEA15, (1062, 188, 177)),
        ([("oolong", 6800, 1)], "CNY", None, (6800, 0, 782)),
        ([("sencha", 1080, 1), ("hojicha", 647, 2)], "JPY", None, (2374, 0, 216)),
        ([("karak", 2150, 1)], "KWD", TEA15, (1830, 320, 0)),  # 322.5 to a multiple of 10
        ([("saffron", 11990, 1)], "KWD", THIRD, (8030, 3960, 0)),  # 3956.7
        ([("karak", 2150, 1)], "KWD", GIFT7, (2150, 0, 0)),
    ],
)
def test_a_total_is_reckoned_line_by_line(lines, currency, promotion, expected):
    found = quote([Line(*line) for line in lines], currency, promotion, PRICING)
    assert (found.total, found.discount, found.tax) == expected


@given(st.integers(0, 10**9), st.integers(1, 10**5), st.sampled_from([1, 10]))
def test_a_half_goes_up_to_a_multiple_of_the_step(numerator, denominator, step):
    exact = Fraction(numerator, denominator)
    assert half_up(numerator, denominator, step) == floor(exact / step + Fraction(1, 2)) * step


@given(st.integers(6, 10**9), st.sampled_from(["EUR", "KWD"]))
def test_three_parts_are_exact_and_different_and_can_be_paid(units, currency):
    step = STEPS.get(currency, 1)
    parts = thirds(units * step, currency)
    assert sum(parts) == units * step and len(set(parts)) == 3 and min(parts) > 0
    assert all(part % step == 0 for part in parts)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"), [(1999, "EUR", 1999), (1999, "KWD", 1990), (3, "KWD", 10)]
)
def test_what_is_given_back_can_be_paid(amount, currency, expected):
    assert in_steps(amount, currency) == expected


SHOP = (
    {"sku": "tea", "unit_price": 435, "currency": "USD", "tags": ["odd"]},
    {"sku": "set-gift", "unit_price": 12347, "currency": "USD"},
    {"sku": "odd-029", "unit_price": 29, "currency": "USD", "tags": ["odd", "extra"]},
    {"sku": "karak", "unit_price": 2150, "currency": "KWD", "tags": ["odd", "extra"]},
    {"sku": "hot", "unit_price": 2999, "currency": "USD", "tags": ["hot"]},
)


@pytest.fixture
def shelves():
    return Shelves(read_products(SHOP), PRICING)


def skus(cart):
    return {item["sku"] for item in cart.items}


def test_an_ordinary_cart_has_no_scarce_and_no_extra_product(shelves):
    carts = [shelves.cart(Random(seed)) for seed in range(200)]
    assert set().union(*map(skus, carts)) == {"tea", "set-gift"}
    assert {cart.promo_code for cart in carts} == {None}


@given(st.integers(0, 5000))
def test_a_cart_of_odd_prices_is_priced_and_never_too_cheap_to_be_charged(seed):
    products = read_products(SHOP)
    cart = Shelves(products, PRICING).cart_of("odd", Random(seed))
    promotion = next((one for one in PRICING.promotions if one.code == cart.promo_code), None)
    prices = {product.sku: product.unit_price for product in products}
    lines = [Line(str(item["sku"]), prices[str(item["sku"])], int(str(item["qty"]))) for item in cart.items]
    assert cart.amount == quote(lines, cart.currency, promotion, PRICING).total >= LEAST_CHARGE
    if promotion == GIFT7 and cart.currency == "USD":
        assert "set-gift" in skus(cart)


def test_odd_carts_come_in_all_currencies_and_with_every_promotion(shelves):
    carts = [shelves.cart_of("odd", Random(seed)) for seed in range(300)]
    assert {cart.currency for cart in carts} == {"USD", "KWD"}
    assert {cart.promo_code for cart in carts} == {None, "TEA15", "GIFT7", "THIRD"}


def test_units_of_the_scarce_product_are_asked_for_together(shelves):
    cart = shelves.units_of("hot", 5, Random(1))
    assert (cart.items, cart.amount) == ([{"sku": "hot", "qty": 5}], 14995)


def test_another_cart_costs_something_else_even_where_there_is_one_product():
    shelves = Shelves(read_products([{"sku": "tea", "unit_price": 435, "currency": "EUR"}]))
    taken = [435, 870, 1305]
    cart = shelves.other_cart(Random(1), taken)
    assert cart.amount not in taken


def test_tags_are_a_list_of_words():
    with pytest.raises(UsageError, match=r"catalogue\[0\].tags: expected a list of words, got 'odd'"):
        read_products([{"sku": "tea", "unit_price": 435, "currency": "EUR", "tags": "odd"}])
