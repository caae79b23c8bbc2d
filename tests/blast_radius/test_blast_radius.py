"""What a drill may break: what its run creates and what the target allows, and nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from paydrill.blast_radius import check, refused
from paydrill.cli.requests import Asked, requests_of
from paydrill.cli.words import load_target_folder
from paydrill.drill import run_drills
from paydrill.errors import FileProblems, UsageError
from paydrill.faults import known
from paydrill.target import Allow
from paydrill.topology_file import load_topology

TARGETS = Path(__file__).resolve().parents[2] / "targets"


def of(name):
    target = load_target_folder(TARGETS / name)
    return target, load_topology(target, target.default_topology)


OURS, THEIRS = of("reference"), of("attached")

MAY = [
    ("node", ["orders-1", "db-1"]), ("disk", ["db-1"]), ("database", ["db-1"]), ("psp", ["psp"]),
    ("edge", ["payments-1->psp"]), ("load", ["client->lb-1"]), ("target", ["client->lb-1"]),
]  # fmt: skip
MAY_NOT = [
    ("node", ["orders-9"], "the node orders-9"),
    ("node", ["client"], "the node client"),
    ("disk", ["orders-1", "sda"], "the volume sda"),
    ("edge", ["orders-1->elsewhere"], "the edge orders-1->elsewhere"),
    ("target", ["client->elsewhere"], "the node elsewhere"),
]


def kind(hits, backends=("local", "docker", "attached")):
    """A fault's class that hits such places."""
    return type("Boom", (), {"name": "boom", "hits": hits, "backends": backends})


def fault(hits):
    return kind(hits)()


@pytest.mark.parametrize(("hits", "places"), MAY)
def test_what_the_run_created_may_be_hit(hits, places):
    check(fault(hits), places, *OURS)


@pytest.mark.parametrize(("hits", "places", "named"), MAY_NOT)
def test_anything_else_is_refused_by_name(hits, places, named):
    with pytest.raises(ValueError, match=f"boom would hit {named}: not created by the run"):
        check(fault(hits), places, *OURS)


THEIR_NODE = THEIRS[1].entrance().server
OF_SOMEBODY_ELSE = [
    ("edge", ["client->payments-1"], None),
    ("psp", ["psp"], None),
    ("load", ["client->payments-1"], None),
    ("node", ["payments-1"], "nodes"),
    ("target", ["client->payments-1"], "nodes"),
    ("disk", ["payments-1"], "volumes"),
]


@pytest.mark.parametrize(("hits", "places", "key"), OF_SOMEBODY_ELSE)
def test_of_a_stack_of_somebody_else_only_proxies_and_psp_are_the_runs(hits, places, key):
    assert THEIR_NODE == "payments-1"
    if key is None:
        check(fault(hits), places, *THEIRS)
        return
    with pytest.raises(ValueError, match=rf"add allow: \{{{key}: \[payments-1\]\}}"):
        check(fault(hits), places, *THEIRS)


@pytest.mark.parametrize("allow", [Allow(nodes=("payments-1",)), Allow(nodes=("payments",))])
def test_what_the_target_allows_may_be_hit_too(allow):
    target = replace(THEIRS[0], allow=allow)
    check(fault("target"), ["client->payments-1"], target, THEIRS[1])
    with pytest.raises(ValueError, match="the volume payments-1"):
        check(fault("disk"), ["payments-1"], target, THEIRS[1])


def test_a_plan_whose_places_were_written_by_hand_is_refused():
    plan = SimpleNamespace(faults=[SimpleNamespace(name="boom", places=("orders-1", "host-1"))])
    (said,) = refused(plan, {"boom": kind("node")}, *OURS)
    assert "the node host-1" in said and "orders-1" not in said.partition(": not created")[0]


PROBE = """\
name: probe
title: {{en: A probe}}
why: Whether it may be hit.
load: {{rate: 5/s, duration: 3s, mix: {{checkout: 1}}}}
timeline:
  - {{at: 1s, for: 1s, {step}}}
"""
WRONG = [
    ("fault: config_change, nodes: [db-1], set: {A: 1}", "6:23: timeline[0].fault: db-1 is a postgres node"),
    ("fault: deploy, nodes: [orders-1], patch: M99", "timeline[0].fault: there is no mutant 'M99'"),
    ("fault: deploy, nodes: [orders-1], source: services", "it has no target.yaml"),
    ("fault: tamper, node: orders-1, table: payments", "timeline[0].fault: orders-1 is a python node"),
    ("fault: config_change, nodes: [orders-1], set: 3", "timeline[0].set: expected keys and values"),
    ("fault: config_change, nodes: [order-1], set: {A: 1}", "'order-1' is not in the topology lb-2"),
]


@pytest.mark.parametrize(("step", "said"), WRONG)
def test_what_does_not_fit_the_target_is_told_with_its_place_before_the_start(tmp_path, step, said):
    path = tmp_path / "probe.yaml"
    path.write_text(PROBE.format(step=step))
    with pytest.raises(FileProblems) as problems:
        requests_of(Asked(scenarios=[str(path)]))
    assert said in str(problems.value)
    assert str(problems.value).startswith(f"{path}:6:")
    assert problems.value.exit_code == 2


def test_a_node_of_somebody_else_is_refused_with_its_place_unless_allowed(tmp_path, monkeypatch):
    folder = tmp_path / "attached"
    shutil.copytree(TARGETS / "attached", folder)
    path = tmp_path / "probe.yaml"
    path.write_text(PROBE.format(step="fault: kill, node: payments-1"))
    asked = Asked(scenarios=[str(path)], target=str(folder))
    assert requests_of(asked), "nothing of ours can kill it: that drill is not_run"
    monkeypatch.setattr(known()["kill"], "backends", ("attached",))
    with pytest.raises(FileProblems, match="kill would hit the node payments-1") as problems:
        requests_of(asked)
    assert str(problems.value).startswith(f"{path}:6:")
    (folder / "target.yaml").write_text(
        (folder / "target.yaml").read_text() + "\nallow: {nodes: [payments]}\n"
    )
    assert requests_of(asked)


def test_a_request_with_a_forged_plan_starts_nothing(tmp_path):
    path = tmp_path / "probe.yaml"
    path.write_text(PROBE.format(step="fault: kill, node: orders-1"))
    (request,) = requests_of(Asked(scenarios=[str(path)], backend="local"))
    forged = replace(request.plan.faults[0], places=("init",))
    plan = replace(request.plan, faults=(forged,))
    with pytest.raises(UsageError, match="the node init"):
        run_drills([replace(request, plan=plan)], out=tmp_path / "reports", progress=print)
    assert not (tmp_path / "reports").exists()


BAD_BLOCKS = [
    ("allow: {nodes: [payments->psp]}", "expected a node or a service"),
    ("allow: {edges: [payments]}", "expected an edge such as payments->psp"),
    ("allow: {hosts: [a]}", "unknown key 'hosts'"),
    ("operators: {freeze: {method: POST, path: /f}}", "the key 'unfreeze' is missing"),
    ("operators: {freeze: {method: PSOT, path: /f}}", "unknown method 'PSOT'"),
]


@pytest.mark.parametrize(("block", "said"), BAD_BLOCKS)
def test_mistakes_in_operators_and_allow_are_told(tmp_path, block, said):
    folder = tmp_path / "attached"
    shutil.copytree(TARGETS / "attached", folder)
    (folder / "target.yaml").write_text((folder / "target.yaml").read_text() + f"\n{block}\n")
    with pytest.raises(FileProblems, match=said):
        load_target_folder(folder)
