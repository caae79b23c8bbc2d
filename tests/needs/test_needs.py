"""What faults need of the machine: every word has a probe, and what is lacking makes a drill not run."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from paydrill import faults, needs
from paydrill.cli.requests import Asked, requests_of
from paydrill.cli.verdicts import exit_code
from paydrill.drill import run_drills
from paydrill.guards import codes
from paydrill.needs import Need
from paydrill.not_run import why_not

WORDS = sorted({need for fault in faults.known().values() for need in fault.needs})


@pytest.mark.parametrize("word", WORDS)
def test_every_need_of_a_fault_has_a_probe(word):
    assert word in needs.known(), f"add a Need({word!r}, …) to paydrill/needs/catalogue.py"


@pytest.mark.parametrize("word", sorted(needs.known()))
@pytest.mark.parametrize("backend", ["local", "docker"])
def test_a_probe_says_yes_or_what_is_in_the_way(word, backend):
    said = needs.known()[word].probe(backend)
    assert isinstance(said, str) and len(said) < 600


def plan_of(*names):
    return SimpleNamespace(faults=[SimpleNamespace(name=name, places=("db-1",)) for name in names])


def fault(*wanted, backends=("local", "docker")):
    return SimpleNamespace(needs=wanted, backends=backends)


@pytest.fixture
def moon(monkeypatch):
    """A machine that has air and no moon; how often the moon was tried."""
    tried = []

    def no_moon(backend):
        tried.append(backend)
        return f"it is day ({backend})"

    catalogue = {"air": Need("air", lambda _: ""), "moon": Need("moon", no_moon, "wait")}
    monkeypatch.setattr(needs, "known", lambda: catalogue)
    needs.in_the_way.cache_clear()
    yield tried
    needs.in_the_way.cache_clear()


KNOWN = {"tide": fault("air", "moon"), "wind": fault("air"), "gone": fault("moon", backends=("docker",))}


def test_what_the_machine_lacks_is_said_with_the_fault_and_what_mends_it(moon):
    why = why_not(plan_of("wind", "tide", "tide"), "local", KNOWN)
    assert why.code == codes.MACHINE_LACKS
    assert why.detail == "this machine lacks: tide needs moon: it is day (local) (wait)"


def test_a_drill_whose_faults_have_all_they_need_is_run(moon):
    assert why_not(plan_of("wind", "wind"), "local", KNOWN) is None
    assert moon == []


def test_what_the_backend_cannot_is_said_before_the_machine_is_asked(moon):
    assert why_not(plan_of("gone"), "local", KNOWN).code == codes.BACKEND_CANNOT
    assert moon == []


def test_each_thing_is_tried_once_a_backend(moon):
    for _ in range(3):
        why_not(plan_of("tide"), "local", KNOWN)
    why_not(plan_of("tide"), "docker", KNOWN)
    assert moon == ["local", "docker"]


def test_run_json_has_what_was_found(moon):
    assert needs.of_plan(plan_of("tide"), "local", KNOWN) == {"air": "ok", "moon": "it is day (local)"}


FULL = """\
name: full
title: {en: A full disk}
why: The data disk of the database is full.
load: {rate: 5/s, duration: 3s, mix: {checkout: 1}}
timeline: [{at: 1s, for: 1s, fault: disk_full, node: db-1}]
"""


def test_a_drill_that_the_machine_cannot_run_has_a_verdict_and_nothing_was_started(tmp_path, monkeypatch):
    (tmp_path / "full.yaml").write_text(FULL)
    requests = requests_of(Asked(scenarios=[str(tmp_path / "full.yaml")], backend="local"))
    lacks = {name: Need(name, lambda _: "none are left") for name in ("root", "loop devices")}
    monkeypatch.setattr(needs, "known", lambda: lacks)
    needs.in_the_way.cache_clear()
    said = []
    try:
        (verdict,) = run_drills(requests, out=tmp_path / "reports", progress=said.append)
    finally:
        needs.in_the_way.cache_clear()
    assert (verdict.verdict, [reason.code for reason in verdict.reasons]) == (
        "not_run",
        [codes.MACHINE_LACKS],
    )
    assert "disk_full needs loop devices: none are left" in verdict.reasons[0].detail
    assert exit_code([verdict]) == 3 and exit_code([verdict], allow_not_run=True) == 0
    run = tmp_path / "reports" / verdict.run
    assert json.loads((run / "run.json").read_text())["needs"]["loop devices"] == "none are left"
    assert not (run / "timeline.jsonl").exists()
    assert (run / "report.html").exists()
