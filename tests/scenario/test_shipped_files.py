"""The scenarios and targets that come with paydrill: they load, fit the schema, and are what they promise."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from paydrill import library
from paydrill.cli.words import load_scenario_file, load_target_folder, scenario_schema
from paydrill.errors import FileProblems
from paydrill.load.offers import left_out
from paydrill.plan import make_plan
from paydrill.topology_file import load_topology, topology_names

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))
FOR_EVERY_TARGET = ("steady", "psp-response-lost", "flash-sale", "every-class", "benign-repeat-purchase")
TARGETS = sorted(path.parent for path in (ROOT / "targets").glob("*/target.yaml"))


def test_the_schema_in_docs_is_not_stale():
    assert (ROOT / "docs" / "scenario.schema.json").read_text() == scenario_schema(), (
        "stale: python -c 'from paydrill.cli.words import scenario_schema; print(scenario_schema(), end=\"\")'"
        " > docs/scenario.schema.json"
    )


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_shipped_scenario_fits_the_schema_and_its_name(path):
    document = YAML(typ="safe", pure=True).load(path.read_text())
    jsonschema.validate(document, json.loads(scenario_schema()), jsonschema.Draft7Validator)
    assert document["name"] == path.stem
    assert set(document["title"]) == {"en", "zh"}
    assert path.read_text().startswith("# yaml-language-server: $schema=../docs/scenario.schema.json\n")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
@pytest.mark.parametrize("folder", TARGETS, ids=lambda path: path.name)
def test_a_shipped_scenario_runs_on_the_default_topology_of_every_target(path, folder):
    target = load_target_folder(folder)
    topology = load_topology(target, target.default_topology)
    try:
        scenario = load_scenario_file(path, topology)
    except FileProblems as problems:
        # A place that only the reference stack has; what every target must bear is named.
        assert folder.name != "reference" and path.stem not in FOR_EVERY_TARGET
        assert all("is not in the topology" in problem.message for problem in problems.problems)
        return
    lacking = left_out(scenario.load.mix, target, topology)
    plan = make_plan(scenario, topology, target, 1, tuple(lacking))
    assert plan.load.duration_s >= 10
    assert plan.load.mix and (folder.name != "reference" or not lacking)


@pytest.mark.parametrize("folder", TARGETS, ids=lambda path: path.name)
def test_every_topology_of_a_shipped_target_loads(folder):
    target = load_target_folder(folder)
    for name in topology_names(folder):
        assert load_topology(target, name).nodes


def test_the_schema_refuses_what_the_reader_refuses(load):
    schema = jsonschema.Draft7Validator(json.loads(scenario_schema()))
    good = {
        "name": "s",
        "title": "t",
        "why": "w",
        "load": {"rate": "1/s", "duration": "1s", "mix": {"checkout": 1}},
    }
    assert schema.is_valid(good)
    step = {"at": "5s", "for": "1s", "fault": "kill", "node": "payments-1"}
    assert schema.is_valid({**good, "timeline": [step]})
    for wrong in (
        {**good, "timelime": []},
        {**good, "load": {**good["load"], "rate": "-1/s"}},
        {**good, "timeline": [{**step, "fault": "explode"}]},
        {**good, "timeline": [{**step, "latency_ms": 5}]},
        {**good, "expect": {"slo": {"availability": "0.9"}}},
    ):
        assert not schema.is_valid(wrong)


def test_psp_response_lost_leaves_enough_checkouts_outside_of_the_fault():
    """≥ 350 checkouts ok is promised even if none that begins while answers are lost ends well."""
    scenario = load_scenario_file(ROOT / "scenarios" / "psp-response-lost.yaml", None)
    share = scenario.load.mix["checkout"] / sum(scenario.load.mix.values())
    (step,) = scenario.timeline
    outside_s = scenario.load.duration_s - step.for_s
    assert scenario.load.rate_per_s * share * outside_s >= 390
    assert scenario.load.rate_per_s * step.for_s >= 100


def test_payments_kill_makes_answers_late_from_two_seconds_before_each_kill():
    scenario = load_scenario_file(ROOT / "scenarios" / "payments-kill.yaml", None)
    kills = [step for step in scenario.timeline if step.fault.name == "kill"]
    slow = [step for step in scenario.timeline if step.fault.name == "latency"]
    assert [kill.fault.node for kill in kills] == ["payments-1", "payments-2", "payments-1"]
    assert [step.at_s for step in slow] == [kill.at_s - 2 for kill in kills]
    assert all(step.fault.latency_ms == 500 and step.fault.direction == "downstream" for step in slow)
    assert [(window.name, window.at_least) for window in scenario.expect.windows] == [
        ("psp_commit_then_killed", 5)
    ]


def test_a_scenario_is_found_by_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert library.scenario_path("steady").read_text().startswith("# yaml-language-server")
