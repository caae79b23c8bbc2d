"""The reference stack's other arrangements are as correct as the usual one."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.drill

CASES = [
    ("local", "steady", "two-psp"),
    ("local", "psp-response-lost", "two-psp"),
    ("local", "steady", "lb-2-tls"),
    pytest.param("docker", "steady", "two-psp", marks=pytest.mark.docker),
    pytest.param("docker", "steady", "lb-2-tls", marks=pytest.mark.docker),
]


@pytest.mark.parametrize(("backend", "scenario", "topology"), CASES, indirect=["backend"])
def test_a_drill_passes_on_another_topology(drill_on_a_fit_host, backend, scenario, topology):
    ran = drill_on_a_fit_host(scenario, "--backend", backend, "--topology", topology, "--seed", "1")
    assert ran.code == 0, ran.told()
    assert ran.verdict["topology"] == topology
