"""How the verdicts of several drills become one exit code and one document."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from paydrill.cli.verdicts import exit_code, print_verdicts_json
from paydrill.verdict import LoadResult, Recovery, Verdict

PASS = Verdict(
    "pass", (), "steady", "lb-2", "local", "reference", None, 1, "2026-01-01T00:00:00Z", 1.0, 0.5, (), (), (), Recovery(),
    (), LoadResult(), {}, "run-1",
)  # fmt: skip


def verdicts(*words):
    return [replace(PASS, verdict=word) for word in words]


@pytest.mark.parametrize(
    ("words", "allowed", "code"),
    [
        (("pass",), False, 0),
        (("pass", "pass"), False, 0),
        (("fail",), False, 1),
        (("inconclusive", "fail", "pass"), False, 1),
        (("inconclusive", "pass"), False, 3),
        (("not_run", "pass"), False, 3),
        (("not_run", "pass"), True, 0),
        (("not_run", "inconclusive"), True, 3),
        (("not_run", "fail"), True, 1),
    ],
)
def test_the_worst_verdict_decides(words, allowed, code):
    assert exit_code(verdicts(*words), allow_not_run=allowed) == code


def test_one_drill_is_its_verdict_and_several_are_a_list(capsys):
    print_verdicts_json([PASS], several=False)
    assert json.loads(capsys.readouterr().out)["verdict"] == "pass"
    print_verdicts_json([PASS, PASS], several=True)
    assert [one["exit_code"] for one in json.loads(capsys.readouterr().out)] == [0, 0]
