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


@pytest.mark.parametrize("mutant", CAUGHT_BY)
def test_a_mutant_fails_its_scenario_with_a_listed_finding(drill, backend, mutant):
    scenario, listed = CAUGHT_BY[mutant]
    ran = drill(scenario, "--backend", backend, "--seed", "1", "--mutant", mutant)
    assert ran.code == 1, ran.told()
    assert ran.verdict["mutant"] == mutant
    caught = {number: found for number, found in ran.findings.items() if number in listed}
    assert caught, ran.told()
    for finding in [one for found in caught.values() for one in found]:
        assert finding["intent"] and finding["events"] and finding["money_at_risk"], finding
