"""Every mistake of a scenario, as it is told: file:line:column: path: what is wrong (did you mean …?)."""

from __future__ import annotations

import re

import pytest

HEAD = """\
name: sample
title: {en: A sample}
why: It shows what a scenario looks like.
"""
LOAD = "load: {rate: 40/s, duration: 20s, mix: {checkout: 8, read: 3}}\n"
GOOD = HEAD + LOAD


def timeline(*steps: str) -> str:
    return GOOD + "timeline:\n" + "".join(f"  - {step}\n" for step in steps)


ONE_MISTAKE = {
    "a misspelt key": (
        HEAD + LOAD + "timelime: []\n",
        "s.yaml:5:1: timelime: unknown key 'timelime' (did you mean timeline?)",
    ),
    "a misspelt key of a fault": (
        timeline("{at: 5s, for: 6s, fault: latency, edge: payments->psp, latencyms: 5, latency_ms: 5}"),
        "s.yaml:6:60: timeline[0].latencyms: unknown key 'latencyms': expected one of at, direction, edge, every, existing, "
        "fault, for, jitter_ms, latency_ms, repeat, when",
    ),
    "a fault's key without its unit": (
        timeline("{at: 5s, for: 6s, fault: reset_peer, edge: payments->psp, timeout: 5}"),
        "s.yaml:6:63: timeline[0].timeout: unknown key 'timeout' (did you mean timeout_ms?)",
    ),
    "an unknown fault": (
        timeline("{at: 5s, for: 6s, fault: time-out, edge: payments->psp}"),
        "s.yaml:6:30: timeline[0].fault: unknown fault 'time-out' (did you mean timeout?)",
    ),
    "a bad duration": (
        timeline("{at: 5sec, for: 6s, fault: timeout, edge: payments->psp}"),
        "s.yaml:6:10: timeline[0].at: '5sec' is not a duration such as 5s, 500ms or 1m (did you mean 5s?)",
    ),
    "a duration without a unit": (
        HEAD + "load: {rate: 40/s, duration: 20, mix: {checkout: 1}}\n",
        "s.yaml:4:30: load.duration: '20' is not a duration such as 5s, 500ms or 1m (did you mean 20s?)",
    ),
    "a negative duration": (
        timeline("{at: -5s, for: 6s, fault: timeout, edge: payments->psp}"),
        "s.yaml:6:10: timeline[0].at: '-5s' is not a duration such as 5s, 500ms or 1m (did you mean 5s?)",
    ),
    "a fault of no length": (
        timeline("{at: 5s, for: 0s, fault: timeout, edge: payments->psp}"),
        "s.yaml:6:19: timeline[0].for: expected a duration of more than 0, got '0s' (did you mean 5s?)",
    ),
    "a rate that is not a number": (
        HEAD + "load: {rate: .nan, duration: 20s, mix: {checkout: 1}}\n",
        "s.yaml:4:14: load.rate: '.nan' is not a rate such as 40/s or 600/m (did you mean 40/s?)",
    ),
    "a rate of NaN per second": (
        HEAD + "load: {rate: NaN/s, duration: 20s, mix: {checkout: 1}}\n",
        "s.yaml:4:14: load.rate: 'NaN/s' is not a rate such as 40/s or 600/m (did you mean 40/s?)",
    ),
    "a negative rate": (
        HEAD + "load: {rate: -40/s, duration: 20s, mix: {checkout: 1}}\n",
        "s.yaml:4:14: load.rate: '-40/s' is not a rate such as 40/s or 600/m (did you mean 40/s?)",
    ),
    "a rate of nothing": (
        HEAD + "load: {rate: 0/s, duration: 20s, mix: {checkout: 1}}\n",
        "s.yaml:4:14: load.rate: a rate must be more than 0 (did you mean 40/s?)",
    ),
    "an infinite weight": (
        HEAD + "load: {rate: 40/s, duration: 20s, mix: {checkout: .inf}}\n",
        "s.yaml:4:51: load.mix.checkout: expected a finite number, got '.inf'",
    ),
    "a node that is not in the topology": (
        timeline("{at: 5s, for: 6s, fault: kill, node: payments-3}"),
        "s.yaml:6:42: timeline[0].node: 'payments-3' is not in the topology two (did you mean payments-2?)",
    ),
    "an edge that is not in the topology": (
        timeline("{at: 5s, for: 6s, fault: timeout, edge: payments->pps}"),
        "s.yaml:6:45: timeline[0].edge: 'payments->pps' is not in the topology two (did you mean payments->psp?)",
    ),
    "a begin after the end of the load": (
        timeline("{at: 25s, for: 6s, fault: timeout, edge: payments->psp}"),
        "s.yaml:6:10: timeline[0].at: 25s is not before the end of the load (20s) (did you mean 14s?)",
    ),
    "an end after the end of the load": (
        timeline("{at: 15s, for: 6s, fault: timeout, edge: payments->psp}"),
        "s.yaml:6:20: timeline[0].for: the fault would end at 21s, after the end of the load (20s) "
        "(did you mean 5s?)",
    ),
    "the same fault twice at once on one edge": (
        timeline(
            "{at: 5s, for: 6s, fault: timeout, edge: payments->psp}",
            "{at: 9s, for: 3s, fault: timeout, edge: payments-2->psp}",
        ),
        "s.yaml:7:10: timeline[1].at: twice at once: the same fault is in force from 5s to 11s "
        "(timeline[0]; timeout downstream on payments-2->psp) (did you mean 11s?)",
    ),
    "a killed node that is paused": (
        timeline(
            "{at: 5s, for: 6s, fault: kill, node: payments-1}",
            "{at: 6s, for: 1s, fault: pause, node: payments}",
        ),
        "s.yaml:7:10: timeline[1].at: twice at once: kill is in force from 5s to 11s "
        "(timeline[0]; node payments-1) (did you mean 11s?)",
    ),
    "an edge that flaps while it is down": (
        timeline(
            "{at: 5s, for: 6s, fault: down, edge: payments->psp}",
            "{at: 9s, for: 3s, fault: flap, edge: payments-2->psp}",
        ),
        "s.yaml:7:10: timeline[1].at: twice at once: down is in force from 5s to 11s "
        "(timeline[0]; down on payments-2->psp) (did you mean 11s?)",
    ),
    "a value that no witness could see": (
        timeline("{at: 5s, for: 6s, fault: bandwidth, edge: payments->psp, rate_kb_s: 0}"),
        "s.yaml:6:23: timeline[0].fault: rate_kb_s is 1 to 200, not 0: 0 hangs the proxy, and with more "
        "the short messages of a payment feel nothing",
    ),
    "a set of nodes that is no list": (
        timeline("{at: 5s, for: 6s, fault: partition, nodes: payments, from: [psp]}"),
        "s.yaml:6:48: timeline[0].nodes: expected a list, got 'payments'",
    ),
    "an unknown node in a set": (
        timeline("{at: 5s, for: 6s, fault: partition, nodes: [payments], from: [lb-1, pps]}"),
        "s.yaml:6:66: timeline[0].from: 'pps' is not in the topology two (did you mean psp?)",
    ),
    "two sets without an edge between them": (
        timeline("{at: 5s, for: 6s, fault: partition, nodes: [psp], from: [lb-1]}"),
        "s.yaml:6:30: timeline[0].fault: 'psp->lb-1' is not in the topology two (did you mean client->lb-1?)",
    ),
    "a fault of an instrument": (
        timeline("{at: 5s, for: 6s, fault: kill, node: psp}"),
        "s.yaml:6:23: timeline[0].fault: 'psp' is an instrument of the harness and no node of the target; "
        "an edge to it can be broken, such as 'payments-1->psp'",
    ),
    "two spikes at once": (
        timeline(
            "{at: 5s, for: 6s, fault: spike, rate: 80/s}", "{at: 6s, for: 1s, fault: spike, rate: 90/s}"
        ),
        "s.yaml:7:10: timeline[1].at: twice at once: the same fault is in force from 5s to 11s "
        "(timeline[0]; spike on client->lb-1) (did you mean 11s?)",
    ),
    "a direction that is none": (
        timeline("{at: 5s, for: 6s, fault: timeout, edge: payments->psp, direction: down}"),
        "s.yaml:6:71: timeline[0].direction: unknown direction 'down' (did you mean downstream?)",
    ),
    "a number with its unit": (
        timeline("{at: 5s, for: 6s, fault: latency, edge: payments->psp, latency_ms: 500ms}"),
        "s.yaml:6:72: timeline[0].latency_ms: expected a whole number, got '500ms' (did you mean 500?)",
    ),
    "a field that is missing": (
        timeline("{at: 5s, for: 6s, fault: spike}"),
        "s.yaml:6:5: timeline[0].rate: the key 'rate' is missing",
    ),
    "an unknown traffic class": (
        HEAD + "load: {rate: 40/s, duration: 20s, mix: {chekout: 1}}\n",
        "s.yaml:4:41: load.mix.chekout: unknown traffic class 'chekout' (did you mean checkout?)",
    ),
    "an unknown PSP behaviour": (
        GOOD + "psp: {commit_then_dropp: 0.5}\n",
        "s.yaml:5:7: psp.commit_then_dropp: unknown PSP behaviour 'commit_then_dropp' (did you mean commit_then_drop?)",
    ),
    "a share above one": (
        GOOD + "psp: {decline: 1.5}\n",
        "s.yaml:5:16: psp.decline: expected a number from 0 to 1, got '1.5' (did you mean 1?)",
    ),
    "shares of answers that sum up to more than one": (
        GOOD + "psp: {decline: 0.6, commit_then_drop: 0.6}\n",
        "s.yaml:5:6: psp: the shares of the answers sum up to 1.2, more than 1 (did you mean shares that sum up to 1?)",
    ),
    "an unknown invariant": (
        GOOD + "expect: {invariants: [I-1]}\n",
        "s.yaml:5:23: expect.invariants[0]: unknown invariant 'I-1' (did you mean I-01?)",
    ),
    "an unknown measure": (
        GOOD + 'expect: {slo: {p95: "<= 800"}}\n',
        "s.yaml:5:16: expect.slo.p95: unknown key 'p95' (did you mean p95_ms?)",
    ),
    "a bound without a comparison": (
        GOOD + "expect: {slo: {availability: 0.9}}\n",
        "s.yaml:5:30: expect.slo.availability: '0.9' is not a bound such as >= 0.90 or <= 800 "
        '(did you mean ">= 0.9"?)',
    ),
    "a share as percents": (
        GOOD + 'expect: {slo: {availability: ">= 90"}}\n',
        "s.yaml:5:30: expect.slo.availability: availability is a share from 0 to 1, the bound is 90 "
        '(did you mean ">= 0.9"?)',
    ),
    "an unknown window": (
        GOOD + "expect: {windows: [{name: psp_commit_then_kiled, at_least: 5}]}\n",
        "s.yaml:5:27: expect.windows[0].name: unknown window 'psp_commit_then_kiled' "
        "(did you mean psp_commit_then_killed?)",
    ),
    "an unknown time": (
        GOOD + "timing: {t_setle_s: 5}\n",
        "s.yaml:5:10: timing.t_setle_s: unknown key 't_setle_s' (did you mean t_settle_s?)",
    ),
    "a name that could leave a folder": (
        (GOOD).replace("name: sample", "name: ../../etc"),
        "s.yaml:1:7: name: '../../etc' is not a name of a-z, 0-9 and '-' (did you mean etc?)",
    ),
    "an unknown language": (
        GOOD.replace("{en: A sample}", "{en: A sample, zhh: 样本}"),
        "s.yaml:2:23: title.zhh: unknown language 'zhh' (did you mean zh?)",
    ),
    "duplicate keys": (
        GOOD + "why: Because.\n",
        "s.yaml:5:1: why: the key 'why' stands here twice, first on line 3 (did you mean to keep only one of them?)",
    ),
    "an alias": (
        GOOD.replace("name: sample", "name: *x"),
        "s.yaml:1:7: name: an alias (*x) is not accepted (did you mean the value itself?)",
    ),
    "a tag": (
        GOOD.replace("name: sample", "name: !!str sample"),
        "s.yaml:1:7: name: a tag (tag:yaml.org,2002:str) is not accepted (did you mean the value without it?)",
    ),
    "bytes that are no UTF-8": (
        GOOD.encode().replace(b"A sample", b"Caf\xe9"),
        "s.yaml:2:16: not UTF-8: byte 0xe9 cannot stand here "
        "(did you mean to save the file with the encoding UTF-8?)",
    ),
    "a tab": (
        GOOD.replace("why: It", "why:\tIt"),
        "s.yaml:3:5: a tab character (did you mean spaces?)",
    ),
    "a second document": (
        GOOD + "---\nname: other\n",
        "s.yaml:5:1: a second document begins here; one file holds one (did you mean to remove the line `---`?)",
    ),
    "a syntax error": (
        GOOD.replace("why: It shows", "why: It: shows"),
        "s.yaml:3:8: not YAML here: mapping values are not allowed here "
        "(did you mean to put quotes round a text that holds `: `?)",
    ),
}


@pytest.mark.parametrize(("text", "line"), ONE_MISTAKE.values(), ids=list(ONE_MISTAKE))
def test_a_mistake_is_told_with_its_place_and_what_was_probably_meant(mistakes, text, line):
    told = [one for one in mistakes(text) if "the key 'name' is missing" not in one]
    assert line in told
    # An alias gives nothing to read, so that what stands in its place is wrong as well.
    assert len(told) == (2 if "alias" in line else 1)


def test_all_mistakes_of_a_file_are_told_at_once_in_the_order_of_the_file(mistakes):
    text = """\
name: sample
title: {en: A sample}
wy: It shows.
load: {rate: -1/s, duration: 20s, mix: {chekout: 1}}
timeline:
  - {at: 5s, for: 6s, fault: timeout, edge: payments->pps}
  - {at: 30s, for: 6s, fault: explode}
name: again
"""
    told = mistakes(text)
    places = [tuple(int(part) for part in line.split(":")[1:3]) for line in told]
    assert places == sorted(places)
    assert [line.split(": ")[1] for line in told] == [
        "why", "wy", "load.rate", "load.mix.chekout", "timeline[0].edge", "timeline[1].at", "timeline[1].fault", "name",
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), ONE_MISTAKE.values(), ids=list(ONE_MISTAKE))
def test_every_message_is_one_line_of_the_promised_form(mistakes, text, line):
    for one in mistakes(text):
        assert re.fullmatch(r"s\.yaml:\d+:\d+: (\S[^:]*: )?[^\n]+", one)


def test_without_a_topology_places_are_not_checked(load):
    scenario = load(timeline("{at: 5s, for: 6s, fault: kill, node: nowhere-9}"), topology=None)
    assert scenario.timeline[0].fault.node == "nowhere-9"


def test_one_fault_after_the_other_on_one_edge_is_no_mistake(load):
    scenario = load(
        timeline(
            "{at: 5s, for: 6s, fault: timeout, edge: payments->psp}",
            "{at: 11s, for: 3s, fault: timeout, edge: payments->psp}",
            "{at: 5s, for: 6s, fault: latency, edge: payments->psp, latency_ms: 1}",
            "{at: 5s, for: 6s, fault: timeout, edge: payments->psp, direction: upstream}",
        )
    )
    assert len(scenario.timeline) == 4


def test_a_fault_may_end_with_the_load(load):
    assert load(timeline("{at: 15s, for: 5s, fault: timeout, edge: payments->psp}")).timeline[0].for_s == 5.0
