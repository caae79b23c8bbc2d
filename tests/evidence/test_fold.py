"""fold: deterministic, tolerant of what a crash leaves, honest about what was read."""

from __future__ import annotations

import random

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paydrill.evidence.fold import fold
from paydrill.evidence.recorder import write_reading
from paydrill.run_folder import RunFolder

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows(run, table):
    path = run.evidence / f"{table}.parquet"
    return pq.read_table(path).to_pylist() if path.exists() else None


def all_rows(run):
    return {path.stem: pq.read_table(path).to_pylist() for path in sorted(run.evidence.glob("*.parquet"))}


def readings(run):
    return {(row["tbl"], row["snap"]): row for row in rows(run, "reading")}


def good_drill(drill, checkouts=3):
    for _ in range(checkouts):
        intent, _, _ = drill.checkout()
        drill.order_row(intent)
        drill.payment_row(intent)
    return drill.standard_end()


def test_an_operation_is_one_row_of_its_invoke_and_its_return(drill):
    intent = drill.intent()
    token = drill.token(intent)
    drill.create(intent)
    drill.pay(intent, token, at=2.0, took=0.25, node="orders-2")
    drill.pay_lost(intent, token, at=3.0, answered=False)
    run = drill.standard_end().folded()
    create, pay, lost = rows(run, "op")
    assert (create["kind"], create["order_ref"], create["said_class"], create["said_paid"]) == (
        "create",
        "ord-1",
        "open",
        False,
    )
    assert (pay["outcome"], pay["executed"], pay["said_paid"], pay["node"]) == ("ok", True, True, "orders-2")
    assert pay["t_ret_ns"] - pay["t_inv_ns"] == 250_000_000
    assert (lost["outcome"], lost["t_ret_ns"], lost["executed"]) == ("info", None, False)


@pytest.mark.parametrize(
    ("status", "said", "paid"),
    [
        (200, "paid", True),
        (200, "fulfilled", True),
        (200, None, True),
        (200, "a word of its own", True),
        (200, "payment_pending", False),
        (202, "payment_pending", False),
        (202, None, False),
        (202, "paid", True),
        (200, "refunded", False),
    ],
)
def test_which_answers_to_a_payment_say_paid(drill, status, said, paid):
    intent = drill.intent()
    drill.pay(intent, drill.token(intent), status=status, said=said)
    (op,) = rows(drill.folded(), "op")
    assert op["said_paid"] is paid


def test_a_state_that_is_not_mapped_says_paid_if_the_target_lists_it(drill):
    drill.info["paid_states"] = ["settled"]
    intent = drill.intent()
    drill.op("read", intent, 3.0, said="settled")
    drill.op("read", intent, 4.0, said="elsewhere")
    first, second = rows(drill.folded(), "op")
    assert (first["said_class"], first["said_paid"]) == ("paid", True)
    assert (second["said_class"], second["said_paid"]) == (None, False)


def test_a_fault_is_one_row_from_inject_to_heal(drill):
    drill.fault(5.0, 11.0)
    drill.fault(7.0, None, number=2)
    faults = [row for row in rows(drill.folded(), "timeline") if row["kind"] == "fault"]
    assert [row["value"] for row in faults] == [1, 2]
    assert faults[0]["t_end_ns"] - faults[0]["t_start_ns"] == 6_000_000_000
    assert faults[1]["t_end_ns"] is None


def test_suspect_rows_get_their_intent_and_class(drill):
    intent = drill.intent()
    drill.create(intent)
    drill.fact("order", "ord-1", "paid", intent=intent)
    drill.fact("order", "ord-odd", "weird")
    drill.fact("payment", "pay-1", "captured", parent="ord-1")
    drill.fact("refund", "rf-1", "requested", parent="pay-1")
    found = {row["ref"]: row for row in rows(drill.folded(), "sut_fact")}
    assert [(found[ref]["intent"], found[ref]["class"]) for ref in ("ord-1", "ord-odd", "pay-1", "rf-1")] == [
        (intent, "paid"),
        (None, None),
        (intent, "paid"),
        (intent, None),
    ]


def test_an_order_without_a_carts_id_is_known_by_the_answer_that_named_it(drill):
    intent = drill.intent()
    drill.create(intent, order_ref="A-7")
    drill.fact("order", "A-7", "paid")
    (row,) = rows(drill.folded(), "sut_fact")
    assert row["intent"] == intent


def test_a_reading_says_how_many_rows_of_which_version_were_read(drill):
    found = readings(good_drill(drill).folded())
    assert (found["op", 0]["rows"], found["op", 0]["complete"], found["op", 0]["source"]) == (
        9,
        True,
        "history",
    )
    assert (found["sut_fact", 1]["rows"], found["sut_fact", 1]["complete"]) == (6, True)
    assert found["psp_effect", 0]["complete"] is True
    assert ("stock", 1) not in found


def test_an_empty_reading_is_not_the_same_as_none(drill, new_drill):
    run = drill.write()
    write_reading(run, "delivery", "fulfilment-1", 1, [], 5, 6, True)
    fold(run)
    assert (rows(run, "delivery"), readings(run)["delivery", 1]["rows"]) == ([], 0)
    other = new_drill().folded()
    assert rows(other, "delivery") is None


def test_tables_that_grow_are_taken_from_their_last_whole_reading(drill):
    run = drill.write()
    event = {"event_ref": "e1", "order_ref": "o1", "kind": "order.paid", "seq": 1, "t_ns": 7}
    write_reading(run, "delivery", "f", 1, [event], 5, 6, True)
    write_reading(run, "delivery", "f", 2, [event, {**event, "event_ref": "e2", "t_ns": 8}], 7, 8, True)
    write_reading(run, "delivery", "f", 3, [], 9, 10, False, error="connection refused")
    fold(run)
    assert [row["event_ref"] for row in rows(run, "delivery")] == ["e1", "e2"]
    assert readings(run)["delivery", 3]["error"] == "connection refused"


def test_two_sources_of_one_snapshot_stand_side_by_side(drill):
    run = drill.write()
    write_reading(
        run, "sut_fact", "orders.sql", 1, [{"kind": "order", "ref": "1", "state": "paid"}], 5, 6, True
    )
    write_reading(
        run, "sut_fact", "payments.sql", 1, [{"kind": "payment", "ref": 2, "state": "x"}], 5, 6, True
    )
    fold(run)
    assert {(row["source"], row["ref"]) for row in rows(run, "sut_fact")} == {
        ("orders.sql", "1"),
        ("payments.sql", "2"),
    }


@pytest.mark.parametrize("amount", [10.5, "10", True, 2**70])
def test_an_amount_that_is_no_whole_number_is_never_guessed_at(drill, amount):
    drill.order_row(drill.intent(), amount=amount)
    run = drill.write()
    fold(run)
    reading = readings(run)["sut_fact", 1]
    assert (rows(run, "sut_fact"), reading["complete"]) == ([], False)
    assert "amount" in reading["error"]


def test_a_reading_may_not_write_the_harness_own_tables(drill):
    drill.checkout()
    run = drill.write()
    for table in ("op", "psp_effect", "reading", "no_such_table"):
        write_reading(run, table, "db-1", 1, [{"op": 99, "eff": 99}], 5, 6, True)
    fold(run)
    assert [row["op"] for row in rows(run, "op")] == [1, 2, 3]
    assert all(key[1] == 0 for key in readings(run))


def test_a_table_of_an_earlier_fold_does_not_stay(drill):
    run = good_drill(drill).folded()
    for path in run.readings.iterdir():
        path.unlink()
    fold(run)
    assert rows(run, "sut_fact") is None


def test_two_rows_with_one_key_are_told(drill):
    drill.fact("order", "ord-1", "paid")
    drill.fact("order", "ord-1", "created")
    reading = readings(drill.folded())["sut_fact", 1]
    assert (reading["rows"], reading["complete"]) == (1, False)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda lines: lines[:-1], "no `end` line"),
        (lambda lines: lines[:3] + lines[4:], "sequence numbers"),
        (lambda lines: [*lines, b"{torn"], "torn: True"),
        (lambda lines: [b"rubbish\n", *lines], "1 lines are not JSON"),
        (lambda lines: [line for line in lines if b'"invoke"' not in line], "sequence numbers"),
    ],
)
def test_a_history_that_is_not_whole_says_so(drill, break_it, said):
    run = good_drill(drill).write()
    path = run.path / "history-0.jsonl"
    path.write_bytes(b"".join(break_it(path.read_bytes().splitlines(keepends=True))))
    fold(run)
    reading = readings(run)["op", 0]
    assert reading["complete"] is False
    assert said in reading["error"]


def test_a_journal_that_was_changed_is_believed_up_to_there_only(drill):
    run = good_drill(drill).write()
    text = run.psp_journal.read_bytes()
    run.psp_journal.write_bytes(text.replace(b'"amount":1000', b'"amount":1001', 2)[:])
    fold(run)
    reading = readings(run)["psp_effect", 0]
    assert (reading["complete"], reading["rows"]) == (False, 0)
    assert "hash" in reading["error"]


def test_a_journal_that_was_written_anew_does_not_match_the_freeze(drill, new_drill):
    run = good_drill(drill, 3).write()
    run.psp_journal.write_bytes(good_drill(new_drill(), 4).write().psp_journal.read_bytes())
    fold(run)
    assert "not the one that was there at the freeze" in readings(run)["psp_effect", 0]["error"]


def test_a_journal_that_was_cut_is_shorter_than_at_the_freeze(drill):
    run = good_drill(drill).write()
    lines = run.psp_journal.read_bytes().splitlines(keepends=True)
    run.psp_journal.write_bytes(b"".join(lines[:-2]))
    fold(run)
    assert "at the freeze it had" in readings(run)["psp_effect", 0]["error"]


@QUICK
@given(seed=st.integers(0, 2**32))
def test_the_order_of_lines_changes_nothing(tmp_path_factory, new_drill, seed):
    run = good_drill(new_drill(), 2).write()
    fold(run)
    wanted = all_rows(run)
    random_ = random.Random(seed)
    history = run.path / "history-0.jsonl"
    for path in (history, run.timeline, *run.readings.glob("*.ndjson")):
        first, *rest = path.read_bytes().splitlines(keepends=True)
        head = [first] if path.suffix == ".ndjson" else []
        rest = rest if head else [first, *rest]
        random_.shuffle(rest)
        path.write_bytes(b"".join([*head, *rest]))
    fold(run)
    assert all_rows(run) == wanted


def test_folding_twice_gives_the_same_bytes(drill):
    run = good_drill(drill).folded()
    first = {path.name: path.read_bytes() for path in run.evidence.iterdir()}
    fold(run)
    assert {path.name: path.read_bytes() for path in run.evidence.iterdir()} == first


@QUICK
@given(data=st.data())
def test_any_torn_tail_and_any_missing_file_gives_tables_and_never_more_than_was_there(new_drill, data):
    run = good_drill(new_drill(), 2).write()
    whole = RunFolder(run.path)
    fold(whole)
    before = all_rows(whole)
    parts = [run.path / "history-0.jsonl", run.timeline, run.psp_journal, *run.readings.glob("*"), run.run]
    for path in parts:
        fate = data.draw(st.sampled_from(["whole", "cut", "gone"]), label=path.name)
        if fate == "gone":
            path.unlink()
        elif fate == "cut":
            text = path.read_bytes()
            path.write_bytes(text[: data.draw(st.integers(0, len(text)), label="cut at")])
    fold(run)
    after = all_rows(run)
    for table, key in (("op", "op"), ("psp_effect", "eff"), ("sut_fact", "ref"), ("intent", "intent")):
        left = {row[key] for row in after.get(table, [])}
        assert left <= {row[key] for row in before[table]}
        vouched = {row["tbl"]: row for row in after["reading"]}
        assert (table in vouched) == (table in after)
        if table in after and len(left) < len(before[table]):
            assert vouched[table]["complete"] is False, table


def test_a_reading_that_was_cut_between_two_rows_is_not_whole(drill):
    run = good_drill(drill).write()
    path = next(run.readings.glob("sut_fact-*"))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    fold(run)
    (reading,) = (row for row in rows(run, "reading") if row["tbl"] == "sut_fact")
    assert reading["complete"] is False
    assert "rows, of" in reading["error"]


@QUICK
@given(
    junk=JUNK,
    kind=st.sampled_from(["intent", "token", "invoke", "return", "drop", "done"]),
    name=st.sampled_from(["intent", "op", "token", "t", "outcome", "said", "client_ref", "currency"]),
)
def test_no_value_in_a_history_line_is_an_error(new_drill, junk, kind, name):
    drill = new_drill()
    drill.checkout()
    run = drill.write()
    line = {"seq": 99, "t": 5, "kind": kind, "intent": 1, "op": 77, "op_kind": "pay", name: junk}
    with (run.path / "history-0.jsonl").open("ab") as file:
        file.write(orjson.dumps(line) + b"\n")
    fold(run)
    assert {row["op"] for row in rows(run, "op")} >= {1, 2, 3}


@QUICK
@given(junk=JUNK, name=st.sampled_from(["table", "source", "snap", "t_from_ns", "complete", "error", "kind", "ref", "parent", "client_ref", "state", "amount", "currency"]))  # fmt: skip
def test_no_value_in_a_reading_is_an_error(new_drill, junk, name):
    run = new_drill().write()
    header = {"table": "sut_fact", "source": "db", "snap": 1, "t_from_ns": 1, "t_to_ns": 2, "complete": True}
    row = {"kind": "order", "ref": "o", "state": "paid", "amount": 5, "currency": "usd"}
    changed = [{**each, name: junk} if name in each or each is row else each for each in (header, row)]
    run.readings.mkdir()
    lines = [{"reading": changed[0]}, changed[1], row]
    (run.readings / "sut_fact-1.ndjson").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    fold(run)
    assert len(rows(run, "sut_fact") or []) <= 2


@QUICK
@given(junk=JUNK, name=st.sampled_from(["t", "kind", "id", "name", "where", "n", "head", "clean", "snap"]), kind=st.sampled_from(["fault", "heal", "psp_freeze", "snapshot", "settled"]))  # fmt: skip
def test_no_value_in_the_time_line_is_an_error(new_drill, junk, name, kind):
    drill = new_drill()
    drill.checkout()
    run = drill.standard_end().write()
    with run.timeline.open("ab") as file:
        file.write(orjson.dumps({"seq": 99, "t": 5, "kind": kind, name: junk}) + b"\n")
    fold(run)
    assert rows(run, "timeline")


@QUICK
@given(junk=JUNK, name=st.sampled_from(["t", "kind", "req", "t_recv", "token", "pi", "money", "effects", "objects", "status"]), kind=st.sampled_from(["request", "effect", "answer", "open", "webhook", "freeze"]))  # fmt: skip
def test_no_value_in_the_journal_is_an_error(new_drill, junk, name, kind):
    drill = new_drill()
    drill.checkout()
    drill.journal.append({"t": 2_000_000_000_000, "kind": kind, "req": 50})
    drill.standard_end()
    drill.journal_change = {kind: {name: junk}}
    run = drill.write()
    fold(run)
    assert len(rows(run, "psp_effect")) <= 2
