from __future__ import annotations

import pytest

from paydrill.errors import UsageError
from paydrill.faults import known
from paydrill.scenario import Expect, Window
from paydrill.scenario_file import load_scenario, peek_names

FULL = """\
name: full
title: {en: Everything, zh: 全部}
why: All keys at once.
target: reference
topology: lb-2
load: {rate: 600/m, duration: 30s, mix: {checkout: 8, read: 3}, max_in_flight: 50}
psp: {decline: 0.1, webhook_duplicate: 1}
timeline:
  - {at: 500ms, for: 2s, fault: latency, edge: payments->psp, latency_ms: 500, direction: upstream}
  - {at: 5s, for: 1s, fault: kill, node: payments-1}
  - {at: 10s, for: 5s, fault: spike, rate: 120/s}
expect:
  invariants: [I-01, I-02]
  slo: {availability: ">= 0.90", p99_ms: "<= 800"}
  windows: [{name: psp_commit_then_killed, at_least: 5}]
  min_ok: 10
  min_ops_in_fault: 0
timing: {t_settle_s: 20, k: 5}
"""


def test_a_full_scenario_is_read_as_it_is_written(load, tmp_path):
    scenario = load(FULL)
    assert (scenario.name, scenario.title) == ("full", {"en": "Everything", "zh": "全部"})
    assert (scenario.load.rate_per_s, scenario.load.duration_s, scenario.load.max_in_flight) == (
        10.0,
        30.0,
        50,
    )
    assert scenario.load.mix == {"checkout": 8.0, "read": 3.0}
    assert scenario.psp == {"decline": 0.1, "webhook_duplicate": 1.0}
    latency, kill, spike = (step.fault for step in scenario.timeline)
    assert (latency.latency_ms, latency.direction, latency.jitter_ms) == (500, "upstream", 0)
    assert (kill.node, spike.rate_per_s) == ("payments-1", 120.0)
    assert [(step.at_s, step.for_s) for step in scenario.timeline] == [(0.5, 2.0), (5.0, 1.0), (10.0, 5.0)]
    assert scenario.expect == Expect(
        invariants=("I-01", "I-02"),
        slo={"availability": ">= 0.90", "p99_ms": "<= 800"},
        windows=(Window("psp_commit_then_killed", 5),),
        min_ok=10,
        min_ops_in_fault=0,
    )
    assert scenario.timing == {"t_settle_s": 20.0, "k": 5}
    assert (scenario.target, scenario.topology) == ("reference", "lb-2")
    assert (scenario.path, scenario.text) == (tmp_path / "s.yaml", FULL)


def test_the_smallest_scenario_takes_defaults(load):
    scenario = load(
        "name: s\ntitle: Small\nwhy: Why not.\nload: {rate: 1/s, duration: 1s, mix: {checkout: 1}}\n"
    )
    assert scenario.title == {"en": "Small"}
    assert (scenario.timeline, scenario.expect, scenario.psp) == ((), Expect(), {})


def test_a_byte_order_mark_is_not_part_of_the_text(load):
    assert load(b"\xef\xbb\xbf" + FULL.encode()).name == "full"


def test_a_missing_file_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="there is no such file"):
        load_scenario(tmp_path / "none.yaml", known(), None)


def test_a_folder_is_no_scenario(tmp_path):
    with pytest.raises(UsageError, match="not a file"):
        load_scenario(tmp_path, known(), None)


def test_names_are_read_from_a_file_with_mistakes(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("name: x\ntopology: single\nload: 5\nfoo: bar\n")
    assert peek_names(path) == {"name": "x", "topology": "single"}


def test_a_comma_in_a_title_needs_no_quotes(load):
    text = "name: sample\ntitle: {en: It charges, and its answer is lost, zh: 样本}\nwhy: Because.\n"
    scenario = load(text + "load: {rate: 40/s, duration: 20s, mix: {checkout: 1}}\n")
    assert scenario.title == {"en": "It charges, and its answer is lost", "zh": "样本"}
