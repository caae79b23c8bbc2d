"""A journal of the PSP that was cut or changed: what cannot be read has not *not happened*."""

from __future__ import annotations

import pytest

from paydrill.evidence.fold import fold
from paydrill.invariants.child import judge_invariants


@pytest.mark.parametrize("kept_lines", [1, 3, 6])
def test_a_cut_journal_lets_nothing_pass_and_accuses_nobody(drill, kept_lines):
    drill.checkout()
    intent, token = drill.intent(), drill.token(2)
    drill.create(intent)
    drill.pay_lost(intent, token)
    pi = drill.capture(token)
    drill.refund(pi, at=6.0)
    drill.final(intent, "payment_failed")
    run = drill.standard_end().write()
    lines = run.psp_journal.read_bytes().splitlines(keepends=True)
    run.psp_journal.write_bytes(b"".join(lines[:kept_lines]))
    fold(run)
    money_rules = ("I-01", "I-02", "I-05", "I-06", "I-08", "I-31", "I-43")
    verdicts = {result.id: result.verdict for result in judge_invariants(run, money_rules)}
    assert set(verdicts.values()) <= {"inconclusive", "not_examined"}, verdicts
