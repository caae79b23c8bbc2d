"""Steps that repeat, steps that wait for an event, and what ends a drill at once."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from paydrill.cli.words import scenario_schema
from paydrill.events import OnEvent, OnGauge, Series, When
from paydrill.scenario import AbortIf
from paydrill.scenario_timeline import repeated

HEAD = """\
name: sample
title: {en: A sample}
why: It shows what a scenario looks like.
load: {rate: 40/s, duration: 20s, mix: {checkout: 8, read: 3}}
"""


def timeline(*steps: str, more: str = "") -> str:
    return HEAD + "timeline:\n" + "".join(f"  - {step}\n" for step in steps) + more


def test_a_step_that_is_repeated_is_as_many_steps(load):
    steps = load(timeline("{at: 2s, for: 1s, every: 4s, repeat: 3, fault: kill, node: payments-1}")).timeline
    assert [(step.at_s, step.end_s) for step in steps] == [(2, 3), (6, 7), (10, 11)]


@given(st.integers(0, 10_000), st.integers(1, 10_000), st.integers(1, 500))
def test_the_times_of_a_repeated_step_are_equally_far_apart(at_ms, every_ms, times):
    begins = repeated(at_ms / 1000, every_ms / 1000, times)
    assert [round(begin * 1000) for begin in begins] == [at_ms + number * every_ms for number in range(times)]


def test_a_step_that_waits_has_the_whole_load_less_its_length(load):
    (step,) = load(timeline("{when: {event: psp.captured}, for: 2s, fault: kill, node: payments-1}")).timeline
    assert step.when == When(OnEvent("psp.captured"), 0.0, 18.0)
    assert (step.at_s, step.for_s, step.end_s) == (0.0, 2.0, 20.0)


def test_an_event_is_narrowed_counted_and_held(load):
    text = "{when: {event: psp.received, operation: refund, count: 3, hold: true, after: 4s, before: 9s}, for: 1s, fault: kill, node: payments}"
    (step,) = load(timeline(text)).timeline
    assert step.when == When(OnEvent("psp.received", 3, {"operation": "refund"}), 4.0, 9.0, hold=True)


def test_what_ends_a_drill(load):
    more = (
        "abort_if:\n"
        "  - {metric: open_work, over: 500}\n"
        "  - {metric: ok_ratio, under: 0.2, after: 8s}\n"
        "  - {metric: http_requests_total, of: payments, labels: {status: 503, route: /pay}, over: 9}\n"
        "  - {metric: shed_total, of: payments-1, over: 0}\n"
        "  - {event: customer.answered, outcome: fail, status: 503, count: 100}\n"
    )
    assert load(timeline("{at: 5s, for: 6s, fault: down, edge: payments->psp}", more=more)).abort_if == (
        AbortIf(OnGauge("open_work", "over", 500)),
        AbortIf(OnGauge("ok_ratio", "under", 0.2), 8.0),
        AbortIf(
            OnGauge(
                Series("http_requests_total", "payments", (("route", "/pay"), ("status", "503"))), "over", 9
            )
        ),
        AbortIf(OnGauge(Series("shed_total", "payments-1"), "over", 0)),
        AbortIf(OnEvent("customer.answered", 100, {"outcome": "fail", "status": "503"})),
    )


WAITS = "for: 1s, fault: kill, node: payments-1"
MISTAKES = {
    "every without repeat": (
        timeline("{at: 2s, for: 1s, every: 4s, fault: kill, node: payments-1}"),
        "s.yaml:6:30: timeline[0].every: a step that comes every so often also says how often: the key 'repeat' is "
        "missing (did you mean repeat: 3?)",
    ),
    "repeat without every": (
        timeline("{at: 2s, for: 1s, repeat: 4, fault: kill, node: payments-1}"),
        "s.yaml:6:31: timeline[0].repeat: a step that is repeated also says how far apart: the key 'every' is missing "
        "(did you mean every: 4s?)",
    ),
    "a repetition that meets itself": (
        timeline("{at: 2s, for: 3s, every: 2s, repeat: 3, fault: kill, node: payments-1}"),
        "s.yaml:6:30: timeline[0].every: twice at once: it comes every 2s and is in force for 3s (did you mean 3s?)",
    ),
    "a repetition beyond the load": (
        timeline("{at: 2s, for: 1s, every: 4s, repeat: 9, fault: kill, node: payments-1}"),
        "s.yaml:6:42: timeline[0].repeat: the last one would end at 35s, after the end of the load (20s) "
        "(did you mean 5?)",
    ),
    "a repetition that meets another step": (
        timeline(
            "{at: 2s, for: 1s, every: 4s, repeat: 3, fault: kill, node: payments-1}",
            "{at: 9s, for: 3s, fault: pause, node: payments-1}",
        ),
        "s.yaml:7:10: timeline[1].at: twice at once: kill is in force from 10s to 11s "
        "(one time of timeline[0]; node payments-1) (did you mean 11s?)",
    ),
    "an unknown event": (
        timeline(f"{{when: {{event: psp.capture}}, {WAITS}}}"),
        "s.yaml:6:20: timeline[0].when.event: unknown event 'psp.capture' (did you mean psp.captured?)",
    ),
    "a filter that the event does not have": (
        timeline(f"{{when: {{event: psp.captured, outcome: ok}}, {WAITS}}}"),
        "s.yaml:6:34: timeline[0].when.outcome: unknown key 'outcome': expected one of after, before, "
        "count, event, hold, operation, psp",
    ),
    "an unknown operation": (
        timeline(f"{{when: {{event: psp.received, operation: captur}}, {WAITS}}}"),
        "s.yaml:6:45: timeline[0].when.operation: unknown operation 'captur' (did you mean capture?)",
    ),
    "what cannot be held": (
        timeline(f"{{when: {{event: psp.answered, hold: true}}, {WAITS}}}"),
        "s.yaml:6:40: timeline[0].when.hold: psp.answered cannot be held; what can: psp.received, psp.committed, "
        "psp.captured, psp.authorised, psp.refunded, psp.declined, webhook.sent (did you mean false?)",
    ),
    "at and when": (
        timeline(f"{{at: 2s, when: {{event: psp.captured}}, {WAITS}}}"),
        "s.yaml:6:6: timeline[0].at: a step with 'when' has no 'at': it begins when its event comes",
    ),
    "neither at nor when": (
        timeline(f"{{{WAITS}}}"),
        "s.yaml:6:5: timeline[0].at: the key 'at' is missing (did you mean at: 5s?)",
    ),
    "an event that may come too late": (
        timeline(f"{{when: {{event: psp.captured, before: 20s}}, {WAITS}}}"),
        "s.yaml:6:42: timeline[0].when.before: a fault that began at 20s would end after the end of the load "
        "(did you mean 19s?)",
    ),
    "an event that has no time to come": (
        timeline(f"{{when: {{event: psp.captured, after: 9s, before: 9s}}, {WAITS}}}"),
        "s.yaml:6:41: timeline[0].when.after: 9s is not before 9s (did you mean 0s?)",
    ),
    "extra load that waits": (
        timeline("{when: {event: psp.captured}, for: 1s, fault: spike, rate: 90/s}"),
        "s.yaml:6:12: timeline[0].when: spike is part of the plan's arrivals and cannot wait for an event "
        "(did you mean at: 5s?)",
    ),
    "two that may meet on one node": (
        timeline(
            f"{{when: {{event: psp.captured, after: 2s, before: 9s}}, {WAITS}}}",
            "{at: 9500ms, for: 1s, fault: pause, node: payments-1}",
        ),
        "s.yaml:7:10: timeline[1].at: twice at once: kill may be in force from 2s to 10s "
        "(timeline[0]; node payments-1) (did you mean 10s?)",
    ),
    "a metric with two bounds": (
        timeline(f"{{at: 2s, {WAITS}}}", more="abort_if:\n  - {metric: open_work, over: 5, under: 1}\n"),
        "s.yaml:8:6: abort_if[0].metric: expected one bound, over or under (did you mean over: 500?)",
    ),
    "an unknown metric": (
        timeline(f"{{at: 2s, {WAITS}}}", more="abort_if:\n  - {metric: openwork, over: 5}\n"),
        "s.yaml:8:14: abort_if[0].metric: unknown metric 'openwork' (did you mean open_work?)",
    ),
    "a number that only the target could have": (
        timeline(f"{{at: 2s, {WAITS}}}", more="abort_if:\n  - {metric: shed_total, over: 5}\n"),
        "s.yaml:8:14: abort_if[0].metric: 'shed_total' is no number of the harness; `of: NODE` asks a node of the "
        "target for it",
    ),
    "labels of a number of the harness": (
        timeline(
            f"{{at: 2s, {WAITS}}}", more="abort_if:\n  - {metric: open_work, labels: {a: b}, over: 5}\n"
        ),
        "s.yaml:8:33: abort_if[0].labels: labels narrow a metric of the target: the key 'of' is missing "
        "(did you mean of: payments?)",
    ),
    "a metric of nobody": (
        timeline(f"{{at: 2s, {WAITS}}}", more="abort_if:\n  - {metric: shed_total, of: payment, over: 5}\n"),
        "s.yaml:8:30: abort_if[0].of: 'payment' is not in the topology (did you mean payments?)",
    ),
    "a metric of the harness' own node": (
        timeline(f"{{at: 2s, {WAITS}}}", more="abort_if:\n  - {metric: shed_total, of: psp, over: 5}\n"),
        "s.yaml:8:30: abort_if[0].of: psp belongs to the harness and tells no metrics",
    ),
    "held in abort_if": (
        timeline(f"{{at: 2s, {WAITS}}}", more="abort_if:\n  - {event: psp.captured, hold: true}\n"),
        "s.yaml:8:27: abort_if[0].hold: unknown key 'hold': expected one of after, count, event, operation, psp",
    ),
}


@pytest.mark.parametrize(("text", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place(mistakes, text, line):
    assert line in mistakes(text)


GOOD_STEPS = (
    "{at: 2s, for: 1s, every: 4s, repeat: 3, fault: kill, node: payments-1}",
    "{when: {event: psp.captured, hold: true, count: 2}, for: 1s, fault: kill, node: payments-1}",
    "{when: {metric: in_flight, over: 20, after: 3s}, for: 1s, fault: kill, node: payments-1}",
    "{when: {metric: shed_total, of: payments, labels: {reason: money}, over: 0}, for: 1s, fault: kill, node: payments-1}",
)
BAD_STEPS = (
    "{at: 2s, for: 1s, every: 4s, fault: kill, node: payments-1}",
    "{at: 2s, when: {event: psp.captured}, for: 1s, fault: kill, node: payments-1}",
    "{when: {event: psp.answered, hold: true}, for: 1s, fault: kill, node: payments-1}",
    "{when: {event: psp.captured}, for: 1s, fault: spike, rate: 90/s}",
)


@pytest.mark.parametrize("step", [*GOOD_STEPS, *BAD_STEPS])
def test_the_schema_for_editors_says_the_same_as_the_reader(step):
    document = YAML(typ="safe", pure=True).load(timeline(step))
    checker = jsonschema.Draft7Validator(json.loads(scenario_schema()))
    assert checker.is_valid(document) == (step in GOOD_STEPS)
