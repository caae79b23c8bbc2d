from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydrill.units import BadUnit, format_rate, format_seconds, parse_bound, parse_duration, parse_rate


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5.0), ("500ms", 0.5), ("1m", 60.0), ("1.5m", 90.0), ("1h", 3600.0), ("0s", 0.0)],
)
def test_durations_are_read_as_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(("text", "rate"), [("40/s", 40.0), ("600/m", 10.0), ("7200/h", 2.0), ("0.5/s", 0.5)])
def test_rates_are_read_as_arrivals_per_second(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("5", "5s"), ("5 s", "5s"), ("5sec", "5s"), ("5 minutes", "5m"), ("-5s", "5s"), ("nan", "5s"),
        ("inf s", "5s"), ("", "5s"), ("5ss", "5s"), ("25h", "24h"), ("٥s", "5s"),
    ],
)  # fmt: skip
def test_a_bad_duration_suggests_a_good_one(text, near):
    with pytest.raises(BadUnit) as caught:
        parse_duration(text)
    assert caught.value.suggestion == near
    parse_duration(near)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("40", "40/s"), ("40/sec", "40/s"), ("40 rps", "40/s"), ("600 per minute", "600/m"), ("-1/s", "1/s"),
        ("nan", "40/s"), ("0/s", "40/s"), ("99999/s", "10000/s"), ("inf/s", "40/s"),
    ],
)  # fmt: skip
def test_a_bad_rate_suggests_a_good_one(text, near):
    with pytest.raises(BadUnit) as caught:
        parse_rate(text)
    assert caught.value.suggestion == near
    parse_rate(near)


@given(st.text(max_size=60))
def test_any_text_is_a_duration_or_suggests_one(text):
    try:
        seconds = parse_duration(text)
    except BadUnit as error:
        parse_duration(error.suggestion)
    else:
        assert 0 <= seconds <= 86_400


@given(st.text(max_size=60))
def test_any_text_is_a_rate_or_suggests_one(text):
    try:
        rate = parse_rate(text)
    except BadUnit as error:
        parse_rate(error.suggestion)
    else:
        assert 0 < rate <= 10_000


@given(st.integers(0, 86_400_000))
def test_a_duration_is_written_as_it_is_read(milliseconds):
    seconds = milliseconds / 1000
    assert parse_duration(format_seconds(seconds)) == pytest.approx(seconds, abs=1e-6)


@given(st.floats(0.001, 10_000))
def test_a_rate_is_written_as_it_is_read(rate):
    assert parse_rate(format_rate(rate)) == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "measured", "holds"),
    [
        (">= 0.90", 0.9, True),
        (">= 0.90", 0.89, False),
        ("<800", 800, False),
        ("<= 800", 800, True),
        ("> 1", 1.1, True),
    ],
)
def test_bounds_hold_or_not(text, measured, holds):
    assert parse_bound(text).holds(measured) is holds


@pytest.mark.parametrize("text", ["0.9", "=> 0.9", ">= 90%", ">= nan", "", ">= -1"])
def test_a_bad_bound_is_refused(text):
    with pytest.raises(BadUnit):
        parse_bound(text)
