"""What the control says of a drill's findings."""

from __future__ import annotations

from dataclasses import replace

from paydrill.control import MARK, marked
from paydrill.verdict import Finding, InvariantResult, LoadResult, Recovery, Verdict


def verdict(*findings: Finding, run: str = "a") -> Verdict:
    result = InvariantResult("I-01", "standing", "fail" if findings else "pass", 3, findings)
    return Verdict(
        "fail" if findings else "pass", (), "s", "t", "local", "reference", None, 1, "", 1.0, None,
        (result,), (), (), Recovery(), (), LoadResult(), {}, run,
    )  # fmt: skip


TWICE = Finding("i1", "charged twice", (), ())


def test_a_finding_that_the_control_shows_too_is_marked():
    seen = marked(verdict(TWICE), verdict(replace(TWICE, intent="i9"), run="c"))
    assert seen.invariants[0].findings[0].summary == f"charged twice ({MARK})"
    assert seen.warnings == ("control c: fail",)


def test_a_finding_of_the_fault_alone_is_not_marked():
    seen = marked(verdict(TWICE), verdict(run="c"))
    assert seen.invariants[0].findings == (TWICE,)
    assert seen.verdict == "fail"
