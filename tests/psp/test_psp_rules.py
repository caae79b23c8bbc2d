"""Rules as they are asked for, and what they decide: by token, by share, by count; nothing is running."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydrill.errors import UsageError
from paydrill.psp.behaviours import Behaviours, seed_of
from paydrill.psp.lines import BehaveLine, OpenLine, RequestLine
from paydrill.psp.rules import EXECUTIONS, OPERATIONS, Rule, with_texts
from paydrill.psp.tally import Tally


def open_line(asked: dict[str, object]) -> OpenLine:
    return OpenLine(t=1, wall_ns=1, pid=1, seed=7, profile="stripe", behaviour=asked)


class Counter:
    """Executions one after the other, each written down as the desk does it."""

    def __init__(self, *rules: dict[str, object], **shares: float) -> None:
        self.tally = Tally()
        self.lines: list[object] = [open_line({**shares, "rules": list(rules)})]
        self.tally.apply(self.lines[0])
        self.nth: dict[tuple[str, str], int] = {}

    def execute(self, token: str = "pm_pd_1", operation: str = "create") -> str | None:
        nth = self.nth[token, operation] = self.nth.get((token, operation), 0) + 1
        decision = self.tally.behaviours.execution(token, operation, nth, self.tally.seen)
        line = RequestLine(
            1, 1, len(self.lines), "POST", True, None, None, None, token, None, operation, nth,
            decision.behaviour if decision else None, None,
        )  # fmt: skip
        self.lines.append(line)
        self.tally.apply(line)
        return decision.behaviour if decision else None


def test_a_count_rule_hits_the_first_ones_after_some_in_order_of_arrival():
    counter = Counter({"id": "a", "behaviour": "commit_then_drop", "count": 2, "after": 3})
    found = [counter.execute(f"pm_pd_{n}") for n in range(7)]
    assert found == [None] * 3 + ["commit_then_drop"] * 2 + [None] * 2


def test_a_count_rule_counts_only_what_fits_it():
    counter = Counter(
        {"id": "a", "behaviour": "commit_then_500", "count": 1, "token": 7, "operation": "refund"}
    )
    asked = [("pm_pd_1", "refund"), ("pm_pd_7", "create"), ("pm_pd_7", "refund"), ("pm_pd_7", "refund")]
    assert [counter.execute(*one) for one in asked] == [None, None, "commit_then_500", None]


def test_after_without_count_hits_all_that_follow():
    counter = Counter({"id": "a", "behaviour": "decline", "after": 2})
    assert [counter.execute() for _ in range(5)] == [None, None, "decline", "decline", "decline"]


def test_a_restart_goes_on_counting_where_it_was():
    counter = Counter({"id": "a", "behaviour": "decline", "count": 3})
    assert [counter.execute() for _ in range(2)] == ["decline", "decline"]
    again = Tally()
    for line in [*counter.lines, counter.lines[0]]:
        again.apply(line)
    counter.tally = again
    assert [counter.execute() for _ in range(3)] == ["decline", None, None]


def test_other_behaviours_in_between_do_not_start_a_rule_anew():
    counter = Counter({"id": "a", "behaviour": "decline", "count": 1})
    assert counter.execute() == "decline"
    counter.tally.apply(BehaveLine(1, {}))
    counter.tally.apply(BehaveLine(1, {"rules": [{"id": "a", "behaviour": "decline", "count": 1}]}))
    assert counter.execute() is None
    counter.tally.apply(BehaveLine(1, {"rules": [{"id": "b", "behaviour": "decline", "count": 1}]}))
    assert counter.execute() == "decline"


def test_rules_come_before_shares_and_win_in_their_order():
    counter = Counter(
        {"id": "mine", "behaviour": "approve", "token": 1},
        {"id": "two", "behaviour": "slow_commit", "token": "pm_pd_2"},
        {"id": "late", "behaviour": "commit_then_drop"},
        decline=1.0,
    )
    found = [counter.execute(f"pm_pd_{n}") for n in (1, 2, 3)]
    assert found == [None, "slow_commit", "commit_then_drop"]


def test_a_token_is_a_harness_number_or_what_stands_on_the_wire():
    by_number = Rule("a", "decline", token=7)
    assert by_number.fits("pm_pd_7", "create") and not by_number.fits("pm_pd_70", "create")
    by_name = Rule("a", "decline", token="pm_card_visa")
    assert by_name.fits("pm_card_visa", "create") and not by_name.fits("pm_pd_7", "create")


def test_cancel_is_hit_only_when_it_is_named():
    assert Counter({"id": "a", "behaviour": "commit_then_drop"}).execute(operation="cancel") is None
    assert Counter(commit_then_drop=1.0).execute(operation="cancel") is None
    named = Counter({"id": "a", "behaviour": "commit_then_drop", "operation": "cancel"})
    assert named.execute(operation="cancel") == "commit_then_drop"
    assert named.execute(operation="capture") is None


@pytest.mark.parametrize("name", EXECUTIONS)
def test_a_share_meets_only_operations_that_it_can_be_asked_for(name):
    behaviours = Behaviours.of(1, {name: 1.0})
    hit = {one for one in OPERATIONS if behaviours.execution("pm_pd_1", one, 1, lambda rule: 0)}
    assert hit == set(EXECUTIONS[name]) - {"cancel"}


@given(st.integers(), st.floats(0, 1), st.integers(1, 30))
def test_a_share_among_counted_ones_draws_as_it_would_alone(seed, share, count):
    alone = Behaviours.of(seed, {"rules": [{"id": "a", "behaviour": "decline", "share": share}]})
    first = {"id": "a", "behaviour": "decline", "share": share, "count": count}
    counted = Behaviours.of(seed, {"rules": [first]})
    for n in range(40):
        wanted = alone.execution(f"pm_pd_{n}", "create", 1, lambda rule: 0) if n < count else None
        assert counted.execution(f"pm_pd_{n}", "create", 1, lambda rule, n=n: n) == wanted


def test_seconds_are_the_rules_or_the_settings():
    asked = {
        "slow_commit_s": 4.0,
        "rules": [{"id": "a", "behaviour": "slow_commit", "token": 1, "seconds": 9}],
    }
    behaviours = Behaviours.of(1, {**asked, "slow_commit": 1.0})
    found = [behaviours.execution(f"pm_pd_{n}", "create", 1, lambda rule: 0) for n in (1, 2)]
    assert [(one.rule, one.seconds) for one in found] == [("a", 9.0), ("slow_commit", 4.0)]


def test_what_is_written_into_the_journal_asks_for_the_same_again():
    asked = {
        "decline": 0.1,
        "idem_ttl_s": 30.0,
        "rules": [{"id": "a", "behaviour": "chargeback", "count": 2, "after": 1, "token": 3, "seconds": 1.0}],
    }
    behaviours = Behaviours.of(5, asked)
    assert behaviours.as_json() == asked
    assert Behaviours.of(5, behaviours.as_json()) == behaviours


def test_two_providers_of_one_seed_draw_and_name_differently():
    assert seed_of(7, "psp") == 7 and seed_of(7, "psp2") not in (7, seed_of(8, "psp2"))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            "commit_then_drop 5%",
            {"id": "commit_then_drop 5%", "behaviour": "commit_then_drop", "share": 0.05},
        ),
        ("decline", {"id": "decline 100%", "behaviour": "decline"}),
        (
            "decline count=3 after=10 token=7 operation=confirm",
            {
                "id": "decline count=3 after=10 token=7 operation=confirm",
                "behaviour": "decline",
                "count": 3,
                "after": 10,
                "token": 7,
                "operation": "confirm",
            },
        ),
        (
            "slow_commit 20% seconds=0.5 token=pm_card_visa",
            {
                "id": "slow_commit 20% seconds=0.5 token=pm_card_visa",
                "behaviour": "slow_commit",
                "share": 0.2,
                "seconds": 0.5,
                "token": "pm_card_visa",
            },
        ),
    ],
)
def test_rules_in_words(text, rule):
    asked = with_texts({}, [text])
    assert asked == {"rules": [rule]}
    assert Behaviours.of(1, asked).rules[0].id == rule["id"]


def test_a_setting_in_words_is_a_number():
    assert with_texts({"decline": 0.1}, ["webhook_delay_s 3"]) == {"decline": 0.1, "webhook_delay_s": 3.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("commit_then_dorp 5%", "did you mean commit_then_drop"),
        ("", "expected a behaviour"),
        ("decline lots", "expected a share such as 5%"),
        ("decline much%", "expected a number, got 'much'"),
        ("decline 500%", "from 0 to 1"),
        ("decline count=0", "whole number from 1"),
        ("decline count=1.5", "whole number from 1"),
        ("decline operation=refund", "expected one of create, confirm"),
        ("decline operation=pay", "expected one of create, confirm"),
        ("webhook_drop operation=create", "takes no operation"),
        ("decline colour=red", "expected a number"),
        ("webhook_delay_s", "expected one number"),
        ("decline 'x", "No closing quotation"),
    ],
)
def test_rules_in_words_that_cannot_be_say_what_was_expected(text, said):
    with pytest.raises(UsageError, match=said):
        Behaviours.of(1, with_texts({}, [text]))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("decline", "expected a list"),
        (["decline"], "PSP rule 1: expected an object"),
        ([{"id": "a", "behaviour": "explode"}], "PSP rule 'a': unknown behaviour 'explode'"),
        ([{"id": "a", "behaviour": "decline", "often": 1}], "unknown key 'often'"),
        ([{"id": "a", "behaviour": "decline", "token": 1.5}], "token: expected a harness number"),
        ([{"id": "a", "behaviour": "decline", "seconds": -1}], "seconds: expected a number from 0"),
        ([{"id": "a", "behaviour": "decline"}] * 2, "its id is that of another rule"),
        ([{"id": "decline", "behaviour": "decline"}], "or a behaviour's name"),
    ],
)
def test_rules_that_cannot_be_are_refused_with_their_id(rules, said):
    with pytest.raises(UsageError, match=said):
        Behaviours.of(1, {"rules": rules})
