"""How invariants, guards and SLOs become one verdict."""

from __future__ import annotations

from itertools import product

import pytest

from paydrill.guards import codes
from paydrill.guards.host_fit import doubt_late_invariants, doubt_late_slos
from paydrill.guards.merge import code_in, merge
from paydrill.verdict import EXIT_CODES, Finding, GuardResult, InvariantResult, Money, Reason, SloResult

FINDING = Finding("i1", "charged twice", (Money("USD", 4998),), ("op1", "eff2"))
HELD = InvariantResult("I-01", "no standing double charge", "pass", 10)
BROKEN = InvariantResult("I-01", "no standing double charge", "fail", 10, (FINDING,))
UNDECIDED = InvariantResult("I-04", "no lost order", "inconclusive", 10, (), "2 subjects were not read")
MISMATCH = InvariantResult("I-04", "no lost order", "inconclusive", 10, (), "population_mismatch: 9 of 10")
UNEXAMINED = InvariantResult("I-28", "outbox", "not_examined", 0, (), "needs delivery")
FIT = GuardResult("host_fit", "pass", "fine")
SLOW = SloResult("p99_ms", "fail", "< 800", 905.0)
SERVED = SloResult("p99_ms", "pass", "< 800", 90.0)
DOUBTED = SloResult("p99_ms", "inconclusive", "< 800", 905.0)
UNMEASURED = SloResult("p99_ms", "inconclusive", "< 800", None)


def guard(code: str) -> GuardResult:
    return GuardResult("some_guard", "inconclusive", "something", code)


CRASH = Reason(codes.CHECKER_CRASHED, "the invariants could not be judged")
WINDOW, CHAIN = guard(codes.WINDOW_MISSED), guard(codes.PSP_CHAIN_BROKEN)
ABORTED_EARLY = GuardResult("drill_complete", "inconclusive", "watchdog", codes.WATCHDOG_DIED)

TABLE = [
    ("all held", [HELD], [FIT], [SERVED], (), "pass", []),
    ("not examined is only listed", [HELD, UNEXAMINED], [FIT], [], (), "pass", []),
    ("a finding", [BROKEN], [FIT], [], (), "fail", [codes.INVARIANT_FAILED]),
    ("a missed SLO", [HELD], [FIT], [SLOW], (), "fail", [codes.SLO_FAILED]),
    ("both", [BROKEN], [FIT], [SLOW], (), "fail", [codes.INVARIANT_FAILED, codes.SLO_FAILED]),
    ("a tripped guard", [HELD], [WINDOW], [], (), "inconclusive", [codes.WINDOW_MISSED]),
    ("a breach stays a breach", [BROKEN], [WINDOW], [], (), "fail", [codes.INVARIANT_FAILED, codes.WINDOW_MISSED]),
    ("bad evidence", [BROKEN], [CHAIN], [], (), "inconclusive", [codes.PSP_CHAIN_BROKEN, codes.INVARIANT_FAILED]),
    ("cut", [BROKEN], [ABORTED_EARLY], [], (), "inconclusive", [codes.WATCHDOG_DIED, codes.INVARIANT_FAILED]),
    ("undecided", [HELD, UNDECIDED], [FIT], [], (), "inconclusive", [codes.UNDECIDED]),
    ("population", [HELD, MISMATCH], [FIT], [], (), "inconclusive", [codes.POPULATION_MISMATCH]),
    ("undecided beside a breach", [BROKEN, UNDECIDED], [], [], (), "fail", [codes.INVARIANT_FAILED, codes.UNDECIDED]),
    ("no measure", [HELD], [FIT], [UNMEASURED], (), "inconclusive", [codes.UNDECIDED]),
    ("late on a slow machine", [HELD], [FIT], [DOUBTED], (), "inconclusive", [codes.HOST_UNFIT]),
    ("a crash", [], [FIT], [], (CRASH,), "inconclusive", [codes.CHECKER_CRASHED]),
    ("a crash beside a missed SLO", [], [FIT], [SLOW], (CRASH,), "fail", [codes.SLO_FAILED, codes.CHECKER_CRASHED]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "inv", "guards", "slos", "crashes", "word", "why"), TABLE, ids=[t[0] for t in TABLE]
)
def test_merge_table(what, inv, guards, slos, crashes, word, why):
    found, reasons = merge(inv, guards, slos, crashes)
    assert (found, [reason.code for reason in reasons]) == (word, why)
    assert all(reason.detail for reason in reasons)


def test_reasons_are_there_exactly_when_it_is_no_pass():
    parts = product([HELD, BROKEN, UNDECIDED], [FIT, WINDOW, CHAIN], [SERVED, SLOW, UNMEASURED])
    for invariant, one_guard, slo in parts:
        word, reasons = merge([invariant], [one_guard], [slo])
        assert (word == "pass") == (not reasons)
        assert EXIT_CODES[word] in (0, 1, 3)


@pytest.mark.parametrize("code", sorted(codes.EVIDENCE_NOT_TRUSTWORTHY))
def test_a_breach_on_evidence_that_cannot_be_trusted_is_inconclusive(code):
    assert merge([BROKEN], [guard(code)], [])[0] == "inconclusive"


@pytest.mark.parametrize("code", sorted(codes.KNOWN - codes.EVIDENCE_NOT_TRUSTWORTHY))
def test_a_breach_beside_any_other_doubt_fails(code):
    assert merge([BROKEN], [guard(code)], [])[0] == "fail"


@pytest.mark.parametrize(
    ("detail", "code"),
    [
        ("population: examined 9 of 10", codes.POPULATION_MISMATCH),
        ("wall_limit: not judged within 60 s", codes.CHECKER_CRASHED),
        ("checker_crashed: exit code 1", codes.CHECKER_CRASHED),
        ("incomplete: op (torn)", codes.UNDECIDED),
    ],
)
def test_the_words_of_the_runner_become_reason_codes(detail, code):
    assert code_in(detail) == code


def test_on_an_unfit_host_only_what_was_late_is_doubted():
    late = InvariantResult("I-15", "settles", "fail", 10, (FINDING,), "compared: op")
    in_time = InvariantResult("I-24", "no leak", "pass", 10)
    safety, doubted, kept = doubt_late_invariants([BROKEN, late, in_time])
    assert (safety, kept) == (BROKEN, in_time)
    assert (doubted.verdict, doubted.findings, code_in(doubted.detail)) == (
        "inconclusive",
        (FINDING,),
        codes.HOST_UNFIT,
    )
    late_answers = SloResult("availability", "fail", ">= 0.9", 0.5)
    refused = SloResult("ok_ratio", "fail", ">= 0.9", 0.5)
    assert doubt_late_slos([SLOW, SERVED, late_answers, refused]) == (
        SloResult("p99_ms", "inconclusive", "< 800", 905.0),
        SERVED,
        SloResult("availability", "inconclusive", ">= 0.9", 0.5),
        refused,
    )


@pytest.mark.parametrize("detail", ["", "whatever: it is", "no colon", "Population_mismatch: x"])
def test_a_detail_without_a_known_code_is_undecided(detail):
    assert code_in(detail) == codes.UNDECIDED
