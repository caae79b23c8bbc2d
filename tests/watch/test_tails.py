"""Files are followed line by line, however they are written; gauges look at the latest payments only."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from paydrill.events import Happened
from paydrill.events.course import TimelineReader
from paydrill.events.psp import PspReader
from paydrill.growing_file import GrowingFile
from paydrill.watch.gauges import LatestPayments
from paydrill.watch.tails import Tail

S = 1_000_000_000


@given(st.integers(1, 30), st.lists(st.integers(1, 40), max_size=60))
def test_every_line_is_told_once_whatever_pieces_it_comes_in(count, pieces):
    text = b"".join(
        json.dumps({"t": n, "kind": "heal", "id": n, "name": f"fault {n}"}).encode() + b"\n"
        for n in range(count)
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "timeline.jsonl"
        tail = Tail(GrowingFile(path), TimelineReader())
        assert list(tail.read()) == []  # nobody has written yet
        seen, at = [], 0
        for piece in [*pieces, len(text)]:
            with path.open("ab") as file:
                file.write(text[at : at + piece])
            at += piece
            seen += [one.t_ns for one in tail.read()]
    assert seen == list(range(count))


def test_the_hash_before_a_journals_line_is_no_part_of_it(tmp_path):
    path = tmp_path / "journal.jsonl"
    line = {"t": 5, "kind": "webhook", "pi": "pi_1", "type": "x", "status": 200}
    path.write_text(f"{'ab' * 32} {json.dumps(line)}\n")
    assert [one.event for one in Tail(GrowingFile(path), PspReader("psp")).read()] == ["webhook.sent"]


def payment(payments: LatestPayments, op: int, asked_s: float, answered_s: float, outcome: str) -> None:
    facts = {"op": str(op), "operation": "pay"}
    payments.take(Happened("customer.asked", int(asked_s * S), facts))
    payments.take(Happened("customer.answered", int(answered_s * S), {**facts, "outcome": outcome}))


def test_the_latest_payments_say_nothing_before_there_are_some():
    payments = LatestPayments()
    for op in range(9):
        payment(payments, op, 1.0, 1.1, "ok")
    assert payments.ok_ratio(2 * S) is None
    payment(payments, 9, 1.0, 1.5, "info")
    assert payments.ok_ratio(2 * S) == 0.9
    assert payments.p95_ms(2 * S) == 100.0


def test_old_payments_are_forgotten():
    payments = LatestPayments()
    for op in range(20):
        payment(payments, op, 1.0, 1.1, "fail")
    for op in range(20, 40):
        payment(payments, op, 8.0, 8.2, "ok")
    assert payments.ok_ratio(9 * S) == 1.0
