"""Plans: pure, sorted, without gaps, and equal bytes for equal input."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydrill.errors import UsageError
from paydrill.events import OnEvent, OnGauge, When
from paydrill.faults import known
from paydrill.plan import fault_of, make_plan, plan_from_json, plan_to_json, segments_of, without_faults
from paydrill.scenario import AbortIf, Load, Scenario, Step
from paydrill.target import Client, Target, Timing
from paydrill.topology import Edge, Node, Topology, UnknownPlace

FAULTS = known()
TOPOLOGY = Topology(
    "two",
    "",
    (Node("client", "client", 0), Node("a-1", "a", 1), Node("a-2", "a", 2), Node("psp", "psp", 0)),
    (Edge("client", "a-1"), Edge("client", "a-2"), Edge("a-1", "psp"), Edge("a-2", "psp")),
)
TARGET = Target("shop", "", Path("/nowhere"), "two", {}, Client({}, ()), Timing())

tenths = st.integers(1, 300).map(lambda n: n / 10)


@st.composite
def faults(draw):
    name = draw(st.sampled_from(["latency", "timeout", "down", "kill", "pause", "spike"]))
    if name == "spike":
        return FAULTS[name](rate_per_s=draw(st.floats(0.1, 500)))
    if name in ("kill", "pause"):
        return FAULTS[name](node=draw(st.sampled_from(["a", "a-1", "a-2"])))
    edge = draw(st.sampled_from(["a->psp", "a-1->psp", "client->a"]))
    return (
        FAULTS["latency"](edge=edge, latency_ms=draw(st.integers(0, 5000)))
        if name == "latency"
        else FAULTS[name](edge=edge)
    )


conditions = st.one_of(
    st.builds(
        OnEvent,
        st.sampled_from(["psp.captured", "customer.answered"]),
        st.integers(1, 99),
        st.dictionaries(st.sampled_from(["operation", "class"]), st.sampled_from(["pay", "refund"])),
    ),
    st.builds(OnGauge, st.just("open_work"), st.sampled_from(["over", "under"]), st.floats(0, 1e6)),
)
whens = st.builds(When, conditions, tenths, tenths, st.booleans())


@st.composite
def scenarios(draw):
    duration = draw(st.integers(50, 400)) / 10
    steps = draw(st.lists(st.builds(Step, tenths, tenths, faults(), st.none() | whens), max_size=8))
    return Scenario(
        name="s",
        title={"en": "S"},
        why="",
        load=Load(
            draw(st.floats(0.1, 1000)),
            duration,
            draw(st.dictionaries(st.sampled_from("xyz"), tenths, min_size=1)),
        ),
        timeline=tuple(step for step in steps if step.at_s < duration),
        psp=draw(st.dictionaries(st.sampled_from(["decline", "slow_commit"]), st.floats(0, 0.5))),
        abort_if=tuple(draw(st.lists(st.builds(AbortIf, conditions, tenths), max_size=2))),
        timing=draw(st.dictionaries(st.sampled_from(["t_settle_s", "client_s"]), tenths)),
    )


@given(scenarios(), st.integers(0, 2**31))
def test_equal_input_gives_equal_bytes_whatever_the_order_of_keys(scenario, seed):
    turned = replace(scenario, psp=dict(reversed(scenario.psp.items())), load=replace(scenario.load, mix=dict(reversed(scenario.load.mix.items()))))  # fmt: skip
    one = plan_to_json(make_plan(scenario, TOPOLOGY, TARGET, seed))
    assert one == plan_to_json(make_plan(turned, TOPOLOGY, TARGET, seed))


@given(scenarios(), st.integers(0, 2**31))
def test_a_plan_comes_back_from_its_bytes(scenario, seed):
    plan = make_plan(scenario, TOPOLOGY, TARGET, seed)
    data = plan_to_json(plan)
    assert plan_from_json(data) == plan
    assert plan_to_json(plan_from_json(data)) == data


def test_a_class_that_is_left_out_is_not_in_the_mix_and_is_remembered():
    asked = scenario()
    name = next(iter(asked.load.mix))
    mixed = replace(asked, load=replace(asked.load, mix={**asked.load.mix, "challenge": 2.0}))
    plan = make_plan(mixed, TOPOLOGY, TARGET, 1, ("challenge",))
    assert name in plan.load.mix and "challenge" not in plan.load.mix
    assert plan_from_json(plan_to_json(plan)).load.left_out == ("challenge",)


@given(scenarios())
def test_the_faults_come_back_with_their_places_sorted_and_numbered(scenario):
    plan = plan_from_json(plan_to_json(make_plan(scenario, TOPOLOGY, TARGET, 1)))
    assert [fault.id for fault in plan.faults] == list(range(1, len(scenario.timeline) + 1))
    assert [fault.at_s for fault in plan.faults] == sorted(step.at_s for step in scenario.timeline)
    rebuilt = [fault_of(fault, FAULTS) for fault in plan.faults]
    assert sorted(map(repr, rebuilt)) == sorted(repr(step.fault) for step in scenario.timeline)
    assert [fault.places for fault in plan.faults] == [fault.places(TOPOLOGY) for fault in rebuilt]


@given(scenarios())
def test_segments_cover_the_load_without_gap_and_carry_each_rate(scenario):
    segments = segments_of(scenario.load, scenario.timeline)
    assert segments[0].at_s == 0 and segments[-1].end_s == scenario.load.duration_s
    for one, other in pairwise(segments):
        assert one.end_s == other.at_s and one.rate_per_s != other.rate_per_s
    assert all(segment.at_s < segment.end_s for segment in segments)
    rates = {step.fault.rate_per_s for step in scenario.timeline if step.fault.name == "spike"}
    assert {segment.rate_per_s for segment in segments} <= rates | {scenario.load.rate_per_s}


def scenario(*steps: Step, rate: float = 20.0) -> Scenario:
    return Scenario("s", {"en": "S"}, "", Load(rate, 20.0, {"checkout": 1.0}), steps)


def test_a_spike_replaces_the_rate_while_it_is_on():
    spike = Step(6.0, 8.0, FAULTS["spike"](rate_per_s=80.0))
    segments = make_plan(scenario(spike), TOPOLOGY, TARGET, 1).load.segments
    assert [(one.at_s, one.end_s, one.rate_per_s) for one in segments] == [
        (0, 6, 20),
        (6, 14, 80),
        (14, 20, 20),
    ]


def test_a_service_name_means_all_its_nodes_and_edges():
    plan = make_plan(scenario(Step(1.0, 1.0, FAULTS["timeout"](edge="a->psp"))), TOPOLOGY, TARGET, 1)
    assert plan.faults[0].places == ("a-1->psp", "a-2->psp")


def test_the_scenarios_timing_overrides_the_targets():
    changed = replace(scenario(), timing={"client_s": 9.0})
    timing = make_plan(changed, TOPOLOGY, TARGET, 1).timing
    assert timing["client_s"] == 9.0
    assert timing["t_settle_s"] == Timing().t_settle_s


def test_the_control_has_the_load_and_no_fault():
    spike = Step(6.0, 8.0, FAULTS["spike"](rate_per_s=80.0))
    control = without_faults(replace(scenario(spike), psp={"decline": 0.1, "commit_then_drop": 0.2}))
    plan = make_plan(control, TOPOLOGY, TARGET, 1)
    assert plan.faults == () and len(plan.load.segments) == 1
    assert plan.psp == {"decline": 0.1}


def test_a_place_that_is_not_there_is_an_error_and_no_empty_plan():
    with pytest.raises(UnknownPlace):
        make_plan(scenario(Step(1.0, 1.0, FAULTS["kill"](node="b-1"))), TOPOLOGY, TARGET, 1)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"schema": "paydrill/plan/9"}', b'{"schema": "paydrill/plan/1"}', b"\xff"]
)
def test_what_is_no_plan_is_wrong_usage(data):
    with pytest.raises(UsageError, match="plan"):
        plan_from_json(data)


def test_a_fault_that_this_version_does_not_know_is_wrong_usage():
    plan = make_plan(scenario(Step(1.0, 1.0, FAULTS["kill"](node="a-1"))), TOPOLOGY, TARGET, 1)
    with pytest.raises(UsageError, match="does not know"):
        fault_of(plan.faults[0], {})
    with pytest.raises(UsageError, match="does not fit this version"):
        fault_of(replace(plan.faults[0], fields={"nodes": "a-1"}), FAULTS)


def test_a_plan_without_conditions_says_nothing_of_them():
    plain = Scenario(
        "s", {"en": "S"}, "", Load(10.0, 20.0, {"x": 1.0}), (Step(1.0, 1.0, FAULTS["kill"](node="a-1")),)
    )
    data = plan_to_json(make_plan(plain, TOPOLOGY, TARGET, 1))
    assert b"when" not in data and b"abort_if" not in data


def test_a_fault_that_waits_stands_in_the_plan_with_its_earliest_begin_and_latest_end():
    step = Step(4.0, 2.0, FAULTS["kill"](node="a-1"), When(OnEvent("psp.captured", 3), 4.0, 9.0, hold=True))
    (planned,) = make_plan(
        Scenario("s", {"en": "S"}, "", Load(10.0, 20.0, {"x": 1.0}), (step,)), TOPOLOGY, TARGET, 1
    ).faults
    assert (planned.at_s, planned.end_s, planned.when) == (4.0, 11.0, step.when)
    begun = planned.begun(5.5)
    assert (begun.at_s, begun.end_s, begun.when) == (5.5, 7.5, None)
