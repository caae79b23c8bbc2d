"""Prices, promotions, tax and rounding: by table, and against exact fractions."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.money import EXPONENT, half_up, step_of, to_minor
from services.pricing import Line, PriceRule, Promotion, UnknownPromotion, quote, tax_within
from services.redact import REMOVED, without_card_numbers

RULE = PriceRule(
    version=1,
    promotions={
        "TEA15": Promotion(15, None),
        "GIFT7": Promotion(7, frozenset({"set-gift"})),
        "THIRD": Promotion(33, None),
    },
    tax={"USD": 0, "EUR": 2000, "CNY": 1300, "JPY": 1000, "KWD": 0},
)


@pytest.mark.parametrize(
    ("price", "currency", "minor"),
    [
        ("0.29", "USD", 29),
        ("1.15", "USD", 115),
        ("4.35", "USD", 435),
        ("8.20", "USD", 820),
        ("19.99", "USD", 1999),
        ("12.50", "EUR", 1250),
        ("68.00", "CNY", 6800),
        ("1080", "JPY", 1080),
        ("647.000", "JPY", 647),
        ("2.150", "KWD", 2150),
        ("11.990", "KWD", 11990),
    ],
)
def test_a_price_in_minor_units(price, currency, minor):
    assert to_minor(Decimal(price), currency) == minor


def test_a_price_with_more_digits_than_its_currency_is_refused():
    with pytest.raises(ValueError, match="more digits"):
        to_minor(Decimal("647.5"), "JPY")


@pytest.mark.parametrize(
    ("lines", "currency", "promo", "total", "discount", "tax"),
    [
        ([("cup", 1, "1.15")], "USD", None, 115, 0, 0),
        ([("cup", 1, "1.15")], "USD", "TEA15", 98, 17, 0),  # 17.25
        ([("tea-green", 2, "4.35")], "USD", "TEA15", 739, 131, 0),  # 130.5 goes up
        ([("set-gift", 1, "123.47"), ("pot", 1, "19.99")], "USD", "GIFT7", 13482, 864, 0),  # 864.29, one line
        ([("matcha", 1, "12.50")], "EUR", None, 1250, 0, 208),  # 208.33
        ([("oolong-cn", 1, "68.00")], "CNY", "THIRD", 4556, 2244, 524),  # 524.14
        (
            [("sencha", 1, "1080"), ("hojicha", 1, "647")],
            "JPY",
            "THIRD",
            1157,
            570,
            105,
        ),  # 356.4, 213.51; 105.18
        ([("karak", 1, "2.150")], "KWD", "TEA15", 1830, 320, 0),  # 322.5 to tens
        ([("karak", 1, "2.150")], "KWD", "THIRD", 1440, 710, 0),  # 709.5 to tens
        ([("saffron", 3, "11.990")], "KWD", "THIRD", 24100, 11870, 0),  # 11870.1
    ],
)
def test_what_an_order_costs(lines, currency, promo, total, discount, tax):
    quoted = quote([Line(sku, qty, Decimal(price)) for sku, qty, price in lines], currency, RULE, promo)
    assert (quoted.total, quoted.discount, quoted.tax) == (total, discount, tax)


def test_a_promotion_that_the_rules_do_not_have():
    with pytest.raises(UnknownPromotion):
        quote([Line("cup", 1, Decimal("1.15"))], "USD", RULE, "FREE")


@given(st.integers(0, 10**12), st.integers(1, 10**6), st.sampled_from([1, 10]))
def test_halves_go_up(numerator, denominator, step):
    exact = Decimal(numerator) / Decimal(denominator * step)
    # Decimal division is exact enough only where it ends; Fraction decides the rest.
    rounded = half_up(numerator, denominator, step)
    assert rounded % step == 0
    distance = Fraction(numerator, denominator) - rounded
    assert -Fraction(step, 2) <= distance < Fraction(step, 2)
    if Fraction(exact) == Fraction(numerator, denominator * step):
        assert rounded == int(exact.quantize(Decimal(1), ROUND_HALF_UP)) * step


CURRENCIES = st.sampled_from(sorted(EXPONENT))


@given(
    CURRENCIES,
    st.lists(st.tuples(st.integers(1, 100_000), st.integers(1, 1000)), min_size=1, max_size=8),
    st.sampled_from([None, "TEA15", "GIFT7", "THIRD"]),
)
def test_lines_discount_and_total_always_add_up(currency, goods, promo):
    step = step_of(currency)
    lines = [
        Line(f"sku-{n}", qty, Decimal(steps * step).scaleb(-EXPONENT[currency]))
        for n, (steps, qty) in enumerate(goods)
    ]
    quoted = quote(lines, currency, RULE, promo)
    before = sum(line.unit_price * line.qty for line in quoted.lines)
    assert quoted.total == before - quoted.discount == sum(line.total for line in quoted.lines)
    assert all(amount % step == 0 for amount in (quoted.total, quoted.discount, quoted.tax))
    assert 0 <= quoted.tax <= quoted.total
    assert quoted.discount == 0 or promo in ("TEA15", "THIRD")


@given(st.integers(0, 10**10), st.integers(0, 5000), CURRENCIES)
def test_contained_tax_is_within_half_a_step_of_the_exact_one(total, basis_points, currency):
    exact = Fraction(total * basis_points, 10_000 + basis_points)
    assert abs(tax_within(total, basis_points, currency) - exact) <= Fraction(step_of(currency), 2)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("call 4242424242424242 please", f"call {REMOVED} please"),
        ("4242 4242 4242 4242", REMOVED),
        ("3782-822463-10005", REMOVED),
        ("order 1234567890123456", "order 1234567890123456"),
        ("ring twice, 3rd floor", "ring twice, 3rd floor"),
        ("", ""),
        (None, None),
    ],
)
def test_card_numbers_are_taken_out_of_free_text(text, stored):
    assert without_card_numbers(text) == stored
