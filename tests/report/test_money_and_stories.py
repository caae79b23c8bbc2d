"""Money is told per currency; findings of one intent are one story."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from paydrill.report.money import largest, shown, shown_all, total
from paydrill.report.stories import stories_of
from paydrill.verdict import Finding, InvariantResult, Money

AMOUNTS = st.lists(st.builds(Money, st.sampled_from(["USD", "EUR", "JPY"]), st.integers(1, 10**9)))


@given(AMOUNTS)
def test_money_is_never_added_across_currencies(amounts):
    summed = total(amounts)
    assert len({money.currency for money in summed}) == len(summed)
    for money in summed:
        assert money.minor == sum(one.minor for one in amounts if one.currency == money.currency)


@given(AMOUNTS)
def test_the_largest_amount_of_a_currency_counts_once(amounts):
    for money in largest(amounts):
        assert money.minor == max(one.minor for one in amounts if one.currency == money.currency)


def test_minor_units_are_shown_with_the_decimals_of_their_currency():
    assert shown(Money("USD", 4998)) == "49.98 USD"
    assert shown(Money("USD", 5)) == "0.05 USD"
    assert shown(Money("JPY", 1500)) == "1,500 JPY"
    assert shown(Money("KWD", 5120)) == "5.120 KWD"
    assert shown(Money("USD", -5)) == "-0.05 USD"
    assert shown_all(()) == "none"


def invariant(number: str, *findings: tuple[str | None, int]) -> InvariantResult:
    rows = tuple(Finding(i, f"{number} {i}", (Money("USD", minor),), ()) for i, minor in findings)
    return InvariantResult(f"I-{number}", "name", "fail", 10, rows)


def test_several_invariants_about_one_intent_are_one_story_headed_by_the_cause():
    (story,) = stories_of(
        [invariant("01", ("i1", 500)), invariant("31", ("i1", 500)), invariant("05", ("i1", 700))]
    )
    assert story.headline.invariant == "I-31"
    assert [other.invariant for other in story.also] == ["I-01", "I-05"]
    assert story.money == (Money("USD", 700),)


def test_findings_without_an_intent_stand_alone():
    assert len(stories_of([invariant("06", (None, 1)), invariant("08", (None, 2))])) == 2


def test_the_most_expensive_story_comes_first():
    stories = stories_of([invariant("01", ("i1", 5), ("i2", 900), ("i3", 20))])
    assert [story.intent for story in stories] == ["i2", "i3", "i1"]
