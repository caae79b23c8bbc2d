"""Counted windows, service levels and recovery times on hand-written drills."""

from __future__ import annotations

import pytest

from paydrill.guards.read_facts import read_facts
from paydrill.guards.window_counts import psp_commit_then_killed
from paydrill.recovery import measure_recovery
from paydrill.slo import judge_slos, percentile

LATENCY = {
    "id": 1,
    "name": "latency",
    "at_s": 4.0,
    "end_s": 8.0,
    "fields": {"edge": "payments->psp", "direction": "downstream", "latency_ms": 500},
    "places": ["payments-1->psp", "payments-2->psp"],
}
KILL = {"id": 2, "name": "kill", "at_s": 6.0, "end_s": 8.0, "fields": {}, "places": ["payments-1"]}


@pytest.fixture
def kill_drill(drill, hand):
    """A latency of 500 ms from 4 s, and a kill of payments-1 at 6 s; no payment of its own near it."""
    drill.plan["faults"] = [LATENCY, KILL]
    drill.drop_timeline("fault", "witness", "heal", "counters")
    for fault, where in ((LATENCY, LATENCY["places"]), (KILL, ["payments-1"])):
        drill.timeline.append(
            {
                "t": hand.at(fault["at_s"]),
                "kind": "fault",
                "id": fault["id"],
                "name": fault["name"],
                "where": where,
            }
        )
        drill.timeline.append(
            {"t": hand.at(fault["end_s"]), "kind": "heal", "id": fault["id"], "clean": True}
        )
    drill.history, drill.journal = drill.history[:1], drill.journal[:1]
    return drill


def payment(
    drill, hand, number, commit_s, *, paid="ok", wait_s=0.6, asked_again_s=None, answered_after_ns=2_000_000
):
    """One payment whose capture commits at `commit_s`; perhaps the PSP is asked again later."""
    drill.history += hand.checkout(number, commit_s - 0.011, wait_s, outcome=paid)
    drill.journal += hand.capture(number, hand.at(commit_s) - 1_000_000, answered_after_ns)
    if asked_again_s is not None:
        again = f"GET /v1/payment_intents/pi_{number}"
        drill.journal.append(
            hand.request(1000 + number, hand.at(asked_again_s), again, token=None, pi=f"pi_{number}")
        )


def hits(drill, tmp_path) -> int:
    return psp_commit_then_killed(read_facts(drill.write(tmp_path / "run")))


def test_a_payment_under_way_at_the_kill_and_asked_about_again_is_a_hit(kill_drill, hand, tmp_path):
    payment(kill_drill, hand, 1, 5.8, asked_again_s=7.0)
    assert hits(kill_drill, tmp_path) == 1


def test_a_payment_never_answered_ok_is_a_hit(kill_drill, hand, tmp_path):
    payment(kill_drill, hand, 1, 5.8, paid="info")
    assert hits(kill_drill, tmp_path) == 1


def test_a_payment_answered_ok_only_after_a_retry_is_a_hit(kill_drill, hand, tmp_path):
    payment(kill_drill, hand, 1, 5.8, wait_s=2.5)
    assert hits(kill_drill, tmp_path) == 1


def test_a_payment_of_the_other_node_is_none(kill_drill, hand, tmp_path):
    payment(kill_drill, hand, 1, 5.8)
    assert hits(kill_drill, tmp_path) == 0


def test_a_payment_whose_answer_had_arrived_before_the_kill_is_none(kill_drill, hand, tmp_path):
    payment(kill_drill, hand, 1, 5.4, asked_again_s=7.0)
    assert hits(kill_drill, tmp_path) == 0


def test_a_payment_captured_after_the_kill_is_none(kill_drill, hand, tmp_path):
    payment(kill_drill, hand, 1, 6.1, asked_again_s=7.0)
    assert hits(kill_drill, tmp_path) == 0


def test_a_slow_answer_of_the_psp_itself_is_under_way_too(kill_drill, hand, tmp_path):
    payment(kill_drill, hand, 1, 5.2, asked_again_s=7.0, answered_after_ns=900_000_000)
    assert hits(kill_drill, tmp_path) == 1


def test_without_latency_on_the_node_only_the_psp_s_own_time_counts(kill_drill, hand, tmp_path):
    kill_drill.plan["faults"] = [KILL]
    kill_drill.timeline = [line for line in kill_drill.timeline if line.get("id") != 1]
    payment(kill_drill, hand, 1, 5.8, asked_again_s=7.0)
    assert hits(kill_drill, tmp_path) == 0


def test_a_refund_later_is_no_wound(kill_drill, hand, tmp_path):
    payment(kill_drill, hand, 1, 5.8, asked_again_s=7.0)
    kill_drill.journal[-1]["op"] = "POST /v1/refunds"
    assert hits(kill_drill, tmp_path) == 0


# -- service levels


def slo(drill, tmp_path, **bounds):
    drill.meta["expect"]["slo"] = bounds
    (result,) = judge_slos(read_facts(drill.write(tmp_path / "run")))
    return result


def test_availability_of_a_healthy_drill_is_whole(drill, tmp_path):
    assert slo(drill, tmp_path, availability=">= 0.99").verdict == "pass"


def test_an_answer_after_the_client_gave_up_is_not_available(drill, tmp_path, hand):
    drill.history = [drill.history[0]]
    for number in range(1, 11):
        drill.history += hand.checkout(number, number * 0.1, 7.0 if number > 8 else 0.1)
    result = slo(drill, tmp_path, availability=">= 0.90")
    assert (result.verdict, result.measured) == ("fail", 0.8)


def test_an_unknown_answer_is_not_available_and_not_ok(drill, tmp_path, hand):
    drill.history = [drill.history[0]]
    for number in range(1, 5):
        drill.history += hand.checkout(number, number * 0.1, 0.1, outcome="info" if number == 1 else "ok")
    assert slo(drill, tmp_path, availability=">= 0.9").measured == 0.75
    assert slo(drill, tmp_path / "b", ok_ratio=">= 0.75").verdict == "pass"


def test_reading_customers_are_no_checkouts(drill, tmp_path, hand):
    drill.history = [
        drill.history[0],
        *hand.checkout(1, 0.1, 0.1),
        *hand.checkout(2, 0.2, 9.0, "info", cls="read"),
    ]
    assert slo(drill, tmp_path, availability=">= 0.9").measured == 1.0


def test_latency_counts_from_the_time_that_was_due(drill, tmp_path, hand):
    drill.history = [drill.history[0]]
    for number in range(1, 101):
        drill.history += hand.checkout(number, number * 0.1, 0.9 if number > 97 else 0.1)
    late = slo(drill, tmp_path, p99_ms="< 800ms")
    assert (late.verdict, late.measured) == ("fail", 900.0)
    assert slo(drill, tmp_path / "b", p99_ms="<= 900").verdict == "pass"
    assert slo(drill, tmp_path / "c", p95_ms="< 800").measured == 100.0


def test_a_dropped_customer_waits_for_ever(drill, tmp_path, hand):
    drill.history = [drill.history[0], *hand.checkout(1, 0.1, 0.1)]
    intent = {"t": hand.at(1), "intent": 2, "due": hand.at(1)}
    drill.history += [{**intent, "kind": "intent", "cls": "checkout"}, {**intent, "kind": "drop"}]
    result = slo(drill, tmp_path, p99_ms="< 800")
    assert (result.verdict, result.measured) == ("fail", None)


@pytest.mark.parametrize(("name", "bound"), [("availability", "about 1"), ("beauty", ">= 1"), ("p99_ms", "")])
def test_what_cannot_be_measured_is_inconclusive(drill, tmp_path, name, bound):
    assert slo(drill, tmp_path, **{name: bound}).verdict == "inconclusive"


def test_percentiles_are_values_that_occurred():
    assert percentile([], 0.99) is None
    assert percentile([3.0], 0.99) == 3.0
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile(range(1, 101), 0.5) == 50


# -- recovery


def recovery(drill, tmp_path):
    return measure_recovery(read_facts(drill.write(tmp_path / "run")))


def outage(drill, hand, from_s, to_s):
    """No payment is answered ok in this time."""
    for line in drill.history:
        if line["kind"] == "return" and hand.at(from_s) <= line["t"] < hand.at(to_s):
            line["outcome"] = "info"


def test_a_service_that_is_back_at_once_took_no_time(drill, tmp_path):
    assert recovery(drill, tmp_path).rto_s == pytest.approx(0.0, abs=0.21)


def test_a_service_that_comes_back_two_seconds_after_healing(drill, hand, tmp_path):
    outage(drill, hand, 5, 13)
    assert recovery(drill, tmp_path).rto_s == pytest.approx(2.0, abs=0.31)


def test_a_service_that_never_comes_back_has_no_time(drill, hand, tmp_path):
    outage(drill, hand, 5, 21)
    assert recovery(drill, tmp_path).rto_s is None


def test_a_kill_counts_from_its_injection(drill, hand, tmp_path):
    drill.plan["faults"][0]["name"] = "kill"
    outage(drill, hand, 5, 8)
    assert recovery(drill, tmp_path).rto_s == pytest.approx(3.0, abs=0.31)


def test_a_kill_that_nobody_noticed_took_no_time(drill, hand, tmp_path):
    drill.plan["faults"][0]["name"] = "kill"
    drill.history = [drill.history[0]]
    for number in range(1, 401):
        drill.history += hand.checkout(number, (number - 1) / 20, 0.02)
    assert recovery(drill, tmp_path).rto_s == 0.0


def test_settling_is_what_the_conductor_waited(drill, tmp_path):
    found = recovery(drill, tmp_path)
    assert (found.settle_s, found.rpo_orders, found.detect_s) == (1.5, None, None)


def test_without_faults_there_is_nothing_to_recover_from(drill, tmp_path):
    drill.plan["faults"] = []
    drill.drop_timeline("fault", "witness", "heal", "counters")
    assert recovery(drill, tmp_path).rto_s is None
