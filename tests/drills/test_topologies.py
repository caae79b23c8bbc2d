"""The reference stack's other arrangements are as correct as the usual one."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.drill

CASES = [
    ("local", "steady", "two-psp"),
    ("local", "psp-response-lost", "two-psp"),
    ("local", "steady", "lb-2-tls"),
    pytest.param("docker", "steady", "two-psp", marks=pytest.mark.docker),
    pytest.param("docker", "steady", "lb-2-tls", marks=pytest.mark.docker),
]
SECOND_PSP = Path(__file__).parent / "second-psp.yaml"


@pytest.mark.parametrize(("backend", "scenario", "topology"), CASES, indirect=["backend"])
def test_a_drill_passes_on_another_topology(drill_on_a_fit_host, backend, scenario, topology):
    ran = drill_on_a_fit_host(scenario, "--backend", backend, "--topology", topology, "--seed", "1")
    assert ran.code == 0, ran.told()
    assert ran.verdict["topology"] == topology


def test_faults_of_the_second_psp_meet_what_the_first_cannot_take(drill_on_a_fit_host):
    ran = drill_on_a_fit_host(str(SECOND_PSP), "--backend", "local", "--topology", "two-psp", "--seed", "1")
    assert ran.code == 0, ran.told()
    told = [
        line["detail"] for line in ran.timeline if line["kind"] == "witness" and line["witness"] == "journal"
    ]
    assert len(told) == 2 and all(detail.startswith("by the journal of psp2: ") for detail in told), told
