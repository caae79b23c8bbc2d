"""Faults that wait for an event, repeat, or end with the whole drill: whole drills on the local backend."""

from __future__ import annotations

from pathlib import Path

import pytest
from interleavings import TEN, reproduced, scenario

pytestmark = pytest.mark.drill

HEAD = "name: composed\ntitle: {en: Composed}\nwhy: Parts of a timeline together.\n"
LOAD = "load: {rate: 20/s, duration: 6s, mix: {checkout: 1}}\n"
EXPECT = "expect: {min_ok: 5, min_ops_in_fault: 1}\n"
LEAST_HELD = 0.95


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "composed.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_fault_whose_event_never_comes_proves_nothing(drill, tmp_path):
    text = (
        HEAD
        + LOAD
        + EXPECT
        + (
            "timeline:\n"
            "  - {when: {event: psp.refunded, hold: true, after: 1s, before: 3s}, for: 1s, fault: kill, node: payments-1}\n"
            "  - {at: 1s, for: 500ms, every: 1s, repeat: 3, fault: latency, edge: payments->psp, latency_ms: 20}\n"
        )
    )
    ran = drill(written(tmp_path, text), "--backend", "local", "--topology", "single", "--seed", "1")
    assert ran.code == 3, ran.told()
    told = [reason["detail"] for reason in ran.verdict["reasons"] if reason["code"] == "fault_unwitnessed"]
    why = "kill #1 at payments-1 never came into force: psp.refunded (1st) did not come until 3 s after the load began"
    assert any(why in detail for detail in told), ran.told()
    again = [line["id"] for line in ran.timeline if line["kind"] == "heal" and line["name"] == "latency"]
    assert again == [2, 3, 4]


def test_a_condition_ends_the_drill_at_once_and_heals(drill, tmp_path):
    text = (
        HEAD
        + LOAD.replace("6s", "60s")
        + (
            "timeline:\n  - {at: 1s, for: 50s, fault: latency, edge: payments->psp, latency_ms: 20}\n"
            "abort_if:\n  - {metric: open_work, over: 100000}\n"
            "  - {event: customer.answered, operation: pay, outcome: ok, count: 20, after: 2s}\n"
        )
    )
    ran = drill(written(tmp_path, text), "--backend", "local", "--topology", "single", "--seed", "1")
    assert ran.code == 3 and "aborted" in ran.reason_codes, ran.told()
    told = [reason["detail"] for reason in ran.verdict["reasons"] if reason["code"] == "aborted"]
    assert told == ["drill_complete: abort_if: customer.answered (20th, operation pay, outcome ok)"], (
        ran.told()
    )
    lines = ran.timeline
    heal = next(line for line in lines if line["kind"] == "heal")
    begun = next(line["t0"] for line in lines if line.get("name") == "load")
    assert heal["clean"] and (heal["t"] - begun) / 1e9 < 30, "it did not end long before its load"
    assert next(line for line in lines if line["kind"] == "healed")["clean"]


def test_a_metric_of_the_target_begins_a_fault_and_a_gauge_that_passes_its_bound_ends_the_drill(
    drill, tmp_path
):
    when = "{metric: http_requests_total, of: orders, labels: {status: 201}, over: 5}"
    text = (
        HEAD
        + LOAD.replace("6s", "60s")
        + f"timeline:\n  - {{when: {when}, for: 50s, fault: latency, edge: payments->psp, latency_ms: 20}}\n"
        + "abort_if:\n  - {metric: load_1m, over: 0, after: 8s}\n"
    )
    ran = drill(written(tmp_path, text), "--backend", "local", "--topology", "single", "--seed", "1")
    (fired,) = [line for line in ran.timeline if line["kind"] == "fired"]
    assert fired["name"] == "http_requests_total of orders, status 201", ran.told()
    assert float(fired["facts"]["value"]) > 5
    assert [line["id"] for line in ran.timeline if line["kind"] == "fault"] == [1]
    assert ran.code == 3 and "aborted" in ran.reason_codes, ran.told()
    assert any("abort_if: load_1m over 0 (" in reason["detail"] for reason in ran.verdict["reasons"]), (
        ran.told()
    )


def test_a_held_answer_makes_the_kill_fall_between_charge_and_answer(drill_on_a_fit_host, tmp_path):
    made = written(tmp_path, scenario(TEN[0], "held", tries=2))
    ran = drill_on_a_fit_host(made, "--backend", "local", "--topology", "single", "--seed", "1")
    assert ran.code == 0, ran.told()
    assert reproduced(ran.folder, TEN[0]) == [True, True], ran.told()
    held = [line for line in ran.timeline if line["kind"] == "released"]
    assert [line["in_time"] for line in held] == [True, True]


@pytest.mark.exhaustive
@pytest.mark.timeout(2400)
def test_held_interleavings_are_reproduced(drill_on_a_fit_host, tmp_path):
    """Each of the ten passes on the unmutated stack, and 95 of 100 tries come out as wanted."""
    tries: dict[str, list[bool]] = {}
    for one in TEN:
        made = written(tmp_path, scenario(one, "held"))
        ran = drill_on_a_fit_host(made, "--backend", "local", "--topology", "single", "--seed", "1")
        assert ran.code == 0, f"{one.name}: {ran.told()}"
        tries[one.name] = reproduced(ran.folder, one)
    came = [each for tried in tries.values() for each in tried]
    assert sum(came) >= LEAST_HELD * len(came), tries
