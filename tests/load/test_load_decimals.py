"""Amounts of an API that writes `12.34` where the harness counts 1234."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydrill.currencies import as_decimal, digits, from_decimal
from paydrill.errors import UsageError
from paydrill.load.answers import read_facts
from paydrill.load.templates import CompiledRequest, Op
from paydrill.target import Request

CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KWD", "eur", "XYZ"])
ANSWER = {"amount": "cart.total | decimal", "currency": "cart.currency"}


@given(minor=st.integers(-(10**12), 10**12), currency=CURRENCIES)
def test_what_is_written_as_a_decimal_reads_as_the_same_amount(minor, currency):
    written = as_decimal(minor, currency)
    assert from_decimal(written, currency) == minor
    assert len(written.partition(".")[2]) == digits(currency)


@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [
        ("12.34", "EUR", 1234),
        ("12.3", "EUR", 1230),
        ("12", "EUR", 1200),
        (12.34, "EUR", 1234),
        (1.15, "USD", 115),
        ("500", "JPY", 500),
        ("0.500", "KWD", 500),
        ("12.345", "EUR", None),
        ("0.5", "JPY", None),
        ("1_000", "EUR", None),
        ("NaN", "EUR", None),
        ("inf", "EUR", None),
        ("", "EUR", None),
        ("9" * 50, "EUR", None),
        (True, "EUR", None),
        (None, "EUR", None),
        ([1], "EUR", None),
    ],
)
def test_only_whole_minor_units_are_an_amount(written, currency, minor):
    assert from_decimal(written, currency) == minor


@given(st.one_of(st.text(), st.floats(), st.integers(), st.binary(), st.none()), CURRENCIES)
def test_whatever_an_answer_holds_is_read_without_an_error(written, currency):
    assert from_decimal(written, currency) is None or isinstance(from_decimal(written, currency), int)


def test_a_decimal_amount_is_read_in_the_currency_of_its_answer():
    assert read_facts({"cart": {"total": "1.500", "currency": "KWD"}}, ANSWER).amount == 1500
    assert read_facts({"cart": {"total": "1.50", "currency": "EUR"}}, ANSWER).amount == 150
    assert read_facts({"cart": {"total": "1.50"}}, ANSWER).amount is None


def test_an_amount_in_minor_units_is_read_as_before():
    assert (
        read_facts({"total": 150, "currency": "EUR"}, {"amount": "total", "currency": "currency"}).amount
        == 150
    )


def test_a_template_writes_an_amount_as_a_decimal():
    request = Request("pay", "PUT", "/x", {"total": "{{ op.amount | decimal(op.currency) }}"})
    op = Op("pay", "k", amount=1234, currency="EUR")
    assert json.loads(CompiledRequest(request).render(None, op).body) == {"total": "12.34"}


def test_a_template_that_has_no_amount_says_so():
    request = Request("read", "POST", "/x", {"total": "{{ op.amount | decimal(op.currency) }}"})
    with pytest.raises(UsageError, match="decimal: expected minor units and their currency"):
        CompiledRequest(request).render(None, Op("read", "k"))
