from __future__ import annotations

import pytest

from paydrill.load.answers import RawAnswer, classify, judge, read_facts
from paydrill.target import OutcomeRule

RULES = (
    OutcomeRule("202", "ok", kind="pay"),
    OutcomeRule("2xx", "ok", executed=True),
    OutcomeRule("409", "fail", code="insufficient_stock", executed=True),
    OutcomeRule("409", "info"),
    OutcomeRule("503", "fail", code="frozen"),
    OutcomeRule("5xx", "info"),
    OutcomeRule("reset", "info"),
)
ANSWER = {
    "order_ref": "id",
    "said": "status",
    "amount": "total",
    "currency": "currency",
    "version": "version",
}


@pytest.mark.parametrize(
    ("status", "err", "code", "kind", "expected"),
    [
        (200, None, None, "pay", ("ok", True)),
        (202, None, None, "pay", ("ok", False)),
        (202, None, None, "create", ("ok", True)),
        (409, None, "insufficient_stock", "create", ("fail", True)),
        (409, None, "idempotency_in_progress", "pay", ("info", False)),
        (503, None, "frozen", "pay", ("fail", False)),
        (503, None, None, "pay", ("info", False)),
        (None, "reset", None, "pay", ("info", False)),
        (200, "reset", None, "pay", ("info", False)),
        (None, "timeout", None, "pay", ("info", False)),
        (None, "refused", None, "pay", ("fail", False)),
        (418, None, None, "pay", ("info", False)),
    ],
)
def test_the_first_row_that_fits_decides(status, err, code, kind, expected):
    assert classify(status, err, code, RULES, kind) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id": "o1", "tot'])
def test_success_that_cannot_be_read_is_unknown(body):
    result = judge(RawAnswer(200, body), ANSWER, RULES, "pay")
    assert (result.outcome, result.executed, result.err) == ("info", False, "unparsable")


def test_a_created_order_without_its_id_is_unknown():
    assert judge(RawAnswer(201, b'{"status": "created"}'), ANSWER, RULES, "create").outcome == "info"
    assert judge(RawAnswer(200, b'{"status": "paid"}'), ANSWER, RULES, "pay").outcome == "ok"


def test_a_refusal_needs_no_readable_body():
    assert judge(RawAnswer(503, b"<html>busy</html>"), ANSWER, RULES, "pay").err is None


def test_facts_are_read_by_their_paths_and_types():
    body = {"data": [{"id": 17, "status": "paid"}], "total": "435", "currency": "EUR", "v": {"n": 2}}
    facts = read_facts(
        body, {"order_ref": "data.0.id", "state": "data.0.status", "amount": "total", "version": "v.n"}
    )
    assert (facts.order_ref, facts.said, facts.amount, facts.version) == ("17", "paid", 435, 2)
    assert facts.currency is None


@pytest.mark.parametrize("total", [12.5, True, "12.50", None, [1], {"a": 1}])
def test_an_amount_that_is_no_whole_number_is_left_out(total):
    assert read_facts({"total": total}, ANSWER).amount is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"code": "declined"}}, "declined"),
        ({"code": "declined"}, "declined"),
        ({"error": "declined"}, "declined"),
        ({"error": {"code": 5}}, None),
        ([1], None),
        (None, None),
    ],
)
def test_the_error_code_is_found_where_it_usually_stands(body, code):
    assert read_facts(body, ANSWER).code == code


def test_the_error_code_is_read_where_the_target_says():
    assert read_facts({"fault": {"word": "x"}, "code": "y"}, {"code": "fault.word"}).code == "x"
