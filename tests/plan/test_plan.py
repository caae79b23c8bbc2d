"""Plans: pure, sorted, without gaps, and equal bytes for equal input."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydrill.errors import UsageError
from paydrill.events import OnEvent, OnGauge, Series, When
from paydrill.faults import ShapesLoad, known
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
CATALOGUE = (
    {"sku": "tea", "unit_price": 435, "currency": "EUR"},
    {"sku": "hot-1", "unit_price": 999, "currency": "EUR", "tags": ["hot"]},
    {"sku": "hot-2", "unit_price": 998, "currency": "EUR", "tags": ["hot"]},
)
TARGET = Target("shop", "", Path("/nowhere"), "two", {}, Client({}, ()), Timing(), catalogue=CATALOGUE)

tenths = st.integers(1, 300).map(lambda n: n / 10)


@st.composite
def faults(draw):
    shapes = ["spike", "ramp", "flash_crowd", "thundering_herd"]
    name = draw(st.sampled_from(["latency", "timeout", "down", "kill", "pause", *shapes]))
    if name == "thundering_herd":
        return FAULTS[name](customers=draw(st.integers(1, 400)), pause_ms=draw(st.integers(1000, 9000)))
    if name in shapes:
        return FAULTS[name](rate_per_s=draw(st.floats(0.1, 500)))
    if name in ("kill", "pause"):
        return FAULTS[name](node=draw(st.sampled_from(["a", "a-1", "a-2"])))
    edge = draw(st.sampled_from(["a->psp", "a-1->psp", "client->a"]))
    return (
        FAULTS["latency"](edge=edge, latency_ms=draw(st.integers(0, 5000)))
        if name == "latency"
        else FAULTS[name](edge=edge)
    )


labels = st.dictionaries(st.sampled_from(["route", "status"]), st.text(max_size=4)).map(
    lambda given: tuple(sorted(given.items()))
)
metrics = st.just("open_work") | st.builds(Series, st.just("shed_total"), st.just("payments-1"), labels)
conditions = st.one_of(
    st.builds(
        OnEvent,
        st.sampled_from(["psp.captured", "customer.answered"]),
        st.integers(1, 99),
        st.dictionaries(st.sampled_from(["operation", "class"]), st.sampled_from(["pay", "refund"])),
    ),
    st.builds(OnGauge, metrics, st.sampled_from(["over", "under"]), st.floats(0, 1e6)),
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
    rates = {
        rate
        for step in scenario.timeline
        if isinstance(step.fault, ShapesLoad)
        for _, rate in step.fault.shape(scenario.load.rate_per_s, step.for_s).rates
    }
    assert {segment.rate_per_s for segment in segments} <= rates | {scenario.load.rate_per_s}


@given(scenarios(), st.integers(0, 2**31))
def test_crowds_and_herds_come_while_their_faults_are_on(scenario, seed):
    load = make_plan(scenario, TOPOLOGY, TARGET, seed).load
    spans = {
        name: [(step.at_s, step.at_s + step.for_s) for step in scenario.timeline if step.fault.name == name]
        for name in ("flash_crowd", "thundering_herd")
    }
    came = sorted((one.at_s, one.end_s) for one in load.crowds)
    assert came == [pytest.approx(span) for span in sorted(spans["flash_crowd"])]
    assert all(crowd.sku in ("hot-1", "hot-2") for crowd in load.crowds)
    assert all(
        any(at_s <= herd.at_s < end_s for at_s, end_s in spans["thundering_herd"]) for herd in load.herds
    )
    assert len(load.herds) >= len(spans["thundering_herd"])


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


@pytest.mark.parametrize(
    ("usual", "to", "length_s", "rates"),
    [
        (10.0, 50.0, 2.0, [15, 25, 35, 45]),
        (40.0, 20.0, 1.0, [35, 25]),
        (10.0, 50.0, 0.2, [30]),
        (10.0, 58.0, 60.0, [11 + 2 * step for step in range(24)]),
    ],
)
def test_a_ramp_climbs_in_equal_steps_of_half_a_second_or_in_24(usual, to, length_s, rates):
    shape = FAULTS["ramp"](rate_per_s=to).shape(usual, length_s)
    assert [rate for _, rate in shape.rates] == rates
    assert [at_s for at_s, _ in shape.rates] == pytest.approx(
        [step * length_s / len(rates) for step in range(len(rates))]
    )


def test_a_ramp_is_part_of_the_rate_and_falls_back_at_its_end():
    ramp = Step(6.0, 1.0, FAULTS["ramp"](rate_per_s=60.0))
    segments = make_plan(scenario(ramp), TOPOLOGY, TARGET, 1).load.segments
    assert [(one.at_s, one.end_s, one.rate_per_s) for one in segments] == [
        (0, 6, 20),
        (6, 6.5, 30),
        (6.5, 7, 50),
        (7, 20, 20),
    ]


def test_a_herd_comes_again_after_each_pause():
    herd = Step(5.0, 5.0, FAULTS["thundering_herd"](customers=30, pause_ms=2000))
    load = make_plan(scenario(herd), TOPOLOGY, TARGET, 1).load
    assert [(one.at_s, one.customers) for one in load.herds] == [(5.4, 30), (7.4, 30), (9.4, 30)]
    assert len(load.segments) == 1


def test_a_crowd_wants_one_product_that_is_scarce_and_the_seed_says_which():
    crowd = Step(5.0, 5.0, FAULTS["flash_crowd"](rate_per_s=15.0))
    found = {make_plan(scenario(crowd), TOPOLOGY, TARGET, seed).load.crowds for seed in range(20)}
    assert {one.sku for (one,) in found} == {"hot-1", "hot-2"}
    assert all((one.at_s, one.end_s, one.rate_per_s, one.cls) == (5, 10, 15, "hot_sku") for (one,) in found)


def test_a_crowd_takes_any_product_where_none_is_scarce_and_there_must_be_one():
    crowd = scenario(Step(5.0, 5.0, FAULTS["flash_crowd"](rate_per_s=15.0)))
    (one,) = make_plan(crowd, TOPOLOGY, replace(TARGET, catalogue=CATALOGUE[:1]), 1).load.crowds
    assert one.sku == "tea"
    with pytest.raises(UsageError, match="catalogue"):
        make_plan(crowd, TOPOLOGY, replace(TARGET, catalogue=()), 1)


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
