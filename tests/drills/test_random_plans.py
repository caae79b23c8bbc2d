"""Faults drawn by lot from the whole catalogue, overlapping: no money is lost, nothing is left on the machine.

One of a hundred plans a day here, another one each day; all of them in part 5 of `make test-all`.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from functools import cache

import host_state
import pytest
import random_drill

from paydrill import faults, library
from paydrill.random_plan import BREAKS_DATA, drawable, random_scenario, topology_of
from paydrill.scenario_file import Words, parse_scenario
from paydrill.target_file import load_target
from paydrill.topology_file import load_topology, topology_names

HUNDRED = range(1, 101)
TARGET = load_target(library.target_folder(library.DEFAULT_TARGET))
NAMES = topology_names(TARGET.folder)


@cache
def topology_named(name):
    return load_topology(TARGET, name)


def topology(seed):
    return topology_named(topology_of(seed, TARGET.default_topology, NAMES))


@cache
def scenario(seed, backend="local"):
    known = faults.known()
    text = random_scenario(seed, TARGET, topology(seed), drawable(known, backend))
    return text, parse_scenario(text.encode(), "drawn", Words(known), topology(seed))


@pytest.mark.parametrize(("backend", "seeds"), [("local", HUNDRED), ("docker", range(1, 11))])
def test_every_plan_is_read_and_has_three_faults_in_force_at_once(backend, seeds):
    for seed in seeds:
        _, drawn = scenario(seed, backend)
        last_begin = max(step.at_s for step in drawn.timeline)
        first_end = min(round(step.at_s + step.for_s, 6) for step in drawn.timeline)
        assert len(drawn.timeline) >= 3 and last_begin < first_end, seed
        assert all(1 <= step.for_s <= 3 for step in drawn.timeline), seed
        assert drawn.load.duration_s == 10 and drawn.expect.invariants is None
        assert not {step.fault.name for step in drawn.timeline} & BREAKS_DATA
        assert all(backend in step.fault.backends for step in drawn.timeline)


def test_a_hundred_plans_draw_almost_the_whole_catalogue_and_each_family():
    drawn = {step.fault.name for seed in HUNDRED for step in scenario(seed)[1].timeline}
    able = drawable(faults.known(), "local")
    assert {able[name].family for name in drawn} == {fault.family for fault in able.values()}
    assert len(drawn) >= 0.9 * len(able), sorted(set(able) - drawn)


def test_the_same_seed_draws_the_same_scenario_and_another_seed_another():
    able = drawable(faults.known(), "local")
    assert scenario(7)[0] == random_scenario(7, TARGET, topology(7), able)
    assert len({scenario(seed)[0] for seed in HUNDRED}) == 100


def test_only_a_scenario_whose_faults_may_leave_no_way_asks_for_no_answer_in_them():
    both = [scenario(seed)[1].expect.min_ok_in_fault for seed in HUNDRED]
    assert set(both) == {None, 0}


def test_who_asks_the_target_is_not_drawn_beside_the_end_of_its_only_way_in():
    seen = 0
    for seed in range(1, 401):
        if topology(seed).name != "single":
            continue
        faults_drawn = [step.fault for step in scenario(seed)[1].timeline]
        if any(fault.hits == "target" for fault in faults_drawn):
            seen += 1
            places = {
                place
                for fault in faults_drawn
                if fault.carries == "nothing"
                for place in fault.places(topology(seed))
            }
            assert not places & {"lb-1", "orders-1", "client->lb-1", "lb-1->orders-1"}, seed
    assert seen > 5


def test_what_has_to_be_through_when_it_ends_is_drawn_on_one_node():
    seen = 0
    for seed in range(1, 201):
        for step in scenario(seed)[1].timeline:
            if step.fault.hits == "node" and step.fault.looks == "at its end":
                seen += 1
                assert len(step.fault.places(topology(seed))) == 1, seed
    assert seen > 20


def test_nothing_is_drawn_at_the_psp_while_the_target_is_kept_from_asking_it():
    frozen = 0
    for seed in range(1, 201):
        drawn = [step.fault for step in scenario(seed)[1].timeline]
        if "freeze" in {fault.name for fault in drawn}:
            frozen += 1
            assert not any(fault.hits == "psp" for fault in drawn), seed
    assert frozen > 5


def test_a_catalogue_of_one_fault_is_refused_by_name_of_the_seed():
    load = {"spike": faults.known()["spike"]}
    with pytest.raises(ValueError, match="seed 3: no"):
        random_scenario(3, TARGET, topology(3), load)


def test_the_audit_tells_what_is_new_and_what_is_gone_but_not_what_other_drills_have():
    before = host_state.HostState.now()
    other = "loop7 /elsewhere/20260101T000000-other-s1/.work/disks/db-1.img"
    lines = {
        **before.lines,
        "loop devices": before.lines["loop devices"] | {other, "loop8 /mine/run-1/.work/disks/db-1.img"},
        "accounts": before.lines["accounts"] | {"passwd: mallory 1"},
        "routes": before.lines["routes"] - {sorted(before.lines["routes"])[0]},
    }
    others = before.others | set(host_state.names_of_others(lines, "run-1"))
    found = replace(before, lines=lines, others=frozenset(others)).changes(before)
    assert "loop devices, new: loop8 /mine/run-1/.work/disks/db-1.img" in found
    assert "accounts, new: passwd: mallory 1" in found
    assert sum(one.startswith("routes, gone") for one in found) == 1
    assert len(found) == 3, found


def test_a_machine_that_nobody_touches_is_as_before():
    before = host_state.HostState.now()
    assert host_state.changed_since(before) == []


def of_today():
    return [1 + datetime.date.today().toordinal() % 100]


@pytest.mark.drill
@pytest.mark.parametrize("seed", of_today())
def test_faults_by_lot_break_no_promise_and_leave_the_machine_as_it_was(seed, tmp_path):
    for _ in range(3):
        ran = random_drill.run_audited(seed, "local", tmp_path / "scenarios", tmp_path / "reports")
        assert ran.left == [], ran.told()
        if not ran.spoilt_by_host:
            break
    # How many may be inconclusive is counted over all hundred, in part 5 of `make test-all`.
    assert ran.verdict["verdict"] in ("pass", "inconclusive"), ran.told()
