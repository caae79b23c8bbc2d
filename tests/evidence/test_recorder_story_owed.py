from __future__ import annotations

import orjson
import pytest

from paydrill.evidence.owed import charges_without_order, open_as_read, orders_as_read
from paydrill.evidence.recorder import write_reading
from paydrill.evidence.story import events_of


def test_a_reading_is_a_header_and_the_rows_as_they_were(drill):
    path = write_reading(
        drill.run, "stock", "db-1", 2, [{"sku": "tea", "odd": None}], 5, 9, False, error="cut"
    )
    header, row = (orjson.loads(line) for line in path.read_bytes().splitlines())
    assert path.name == "stock-2.ndjson"
    assert header == {
        "reading": {
            "table": "stock",
            "source": "db-1",
            "snap": 2,
            "t_from_ns": 5,
            "t_to_ns": 9,
            "complete": False,
            "error": "cut",
            "rows": 1,
        }
    }
    assert row == {"sku": "tea", "odd": None}


def test_a_second_reading_of_the_same_table_and_snapshot_overwrites_nothing(drill):
    first = write_reading(drill.run, "stock", "a", 1, [], 5, 9, True)
    second = write_reading(drill.run, "stock", "b", 1, [], 5, 9, True)
    assert first != second and first.exists() and second.exists()


def test_a_table_name_cannot_leave_the_folder(drill):
    with pytest.raises(ValueError, match="expected a plain name"):
        write_reading(drill.run, "../stock", "a", 1, [], 5, 9, True)


def test_a_story_has_the_events_of_all_sources_in_order_of_time(drill):
    drill.checkout()
    intent, _, pi = drill.checkout()
    drill.refund(pi, at=9.0)
    drill.order_row(intent, "refunded")
    with drill.standard_end().opened() as connection:
        story = events_of(connection, intent)
        bare = events_of(connection, intent, faults=False)
    assert [event.t_ns for event in story] == sorted(event.t_ns for event in story)
    assert {event.source for event in story} == {"client", "psp", "target", "harness"}
    assert [event.kind for event in bare] == [
        "intent", "create", "create", "pay", "request", "capture", "pay", "request", "refund", "final", "final", "fact"
    ]  # fmt: skip
    assert [event for event in story if event.source != "harness"] == bare
    assert any("timeout at payments-1->psp" in event.text for event in story)
    assert all(event.text and event.id for event in story)


def test_a_charge_of_nobody_has_a_story_by_its_object(drill):
    drill.checkout()
    pi = drill.capture(None, wire="pm_card_visa")
    with drill.standard_end().opened() as connection:
        story = events_of(connection, None, pi, faults=False)
    assert [event.kind for event in story] == ["request", "capture"]


def test_what_is_owed_counts_charges_that_have_neither_order_nor_refund(drill):
    paid, _, _ = drill.checkout()
    orphan, _, _ = drill.checkout()
    _, _, pi = drill.checkout()
    drill.refund(pi, at=9.0)
    drill.capture(None, wire="pm_card_visa")
    run = drill.write()
    facts = [
        {"kind": "order", "client_ref": f"cart-{paid}", "state": "paid"},
        {"kind": "order", "client_ref": f"cart-{orphan}", "state": "payment_pending"},
    ]
    assert charges_without_order(run, facts) == 2
    facts[1]["state"] = "paid"
    assert charges_without_order(run, facts) == 1


def test_an_order_that_customers_still_see_open_is_open_and_its_charge_is_owed(drill):
    intent = drill.intent()
    token = drill.token(intent)
    drill.op("create", intent, at=1.0, said="created")
    drill.op("pay", intent, at=2.0, outcome="info", status=None, token=token)
    drill.capture(token, at=2.5)
    drill.op("final", intent, at=30.0, said="payment_pending")
    run = drill.write()
    assert open_as_read(run) == 1
    assert charges_without_order(run, orders_as_read(run)) == 1


def test_the_last_look_at_an_order_is_the_one_that_counts(drill):
    intent, _, _ = drill.checkout()
    drill.op("final", intent, at=30.0, said="payment_pending")
    drill.op("final", intent, at=31.0, said="paid")
    drill.op("final", intent, at=32.0, outcome="info", status=503)
    run = drill.write()
    assert open_as_read(run) == 0
    assert charges_without_order(run, orders_as_read(run)) == 0


def test_an_order_that_was_created_and_left_is_not_open(drill):
    intent = drill.intent()
    drill.op("create", intent, at=1.0, said="created")
    drill.op("pay", intent, at=2.0, outcome="info", status=None, token=drill.token(intent))
    drill.op("final", intent, at=30.0, said="created")
    assert open_as_read(drill.write()) == 0


def test_an_order_as_created_whose_payment_was_accepted_is_open(drill):
    intent = drill.intent()
    drill.op("create", intent, at=1.0, said="created")
    drill.op("pay", intent, at=2.0, status=202, said="created", token=drill.token(intent))
    drill.op("final", intent, at=30.0, said="created")
    assert open_as_read(drill.write()) == 1
