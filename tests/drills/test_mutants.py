"""Planted bugs are found by their scenario, with the money at risk and the events that show it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.drill

CAUGHT_BY = {
    "M01": ("psp-response-lost", {"I-01", "I-02"}),
    "M03": ("psp-response-lost", {"I-01", "I-02"}),
    "M09": ("payments-kill", {"I-01", "I-02", "I-05"}),
    "M21": ("psp-response-lost", {"I-31", "I-01", "I-02", "I-05"}),
}


# With Docker one stands for all; `make test-all` runs every one, with five seeds and two.
CASES = [("local", mutant) for mutant in CAUGHT_BY] + [
    pytest.param(
        "docker",
        mutant,
        marks=[pytest.mark.docker, *([] if mutant == "M03" else [pytest.mark.exhaustive])],
    )
    for mutant in CAUGHT_BY
]


@pytest.mark.parametrize(("backend", "mutant"), CASES, indirect=["backend"])
def test_a_mutant_fails_its_scenario_with_a_listed_finding(drill, backend, mutant):
    scenario, listed = CAUGHT_BY[mutant]
    ran = drill(scenario, "--backend", backend, "--seed", "1", "--mutant", mutant)
    assert ran.code == 1, ran.told()
    assert ran.verdict["mutant"] == mutant
    caught = {number: found for number, found in ran.findings.items() if number in listed}
    assert caught, ran.told()
    for finding in [one for found in caught.values() for one in found]:
        assert finding["intent"] and finding["events"] and finding["money_at_risk"], finding
