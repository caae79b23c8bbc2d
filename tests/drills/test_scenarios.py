"""The reference stack without a mutant is correct: every scenario passes, and not emptily."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

pytestmark = pytest.mark.drill

SCENARIOS = ["steady", "psp-response-lost", "payments-kill", "flash-sale"]
INVARIANTS = {"I-01", "I-02", "I-04", "I-05", "I-06", "I-08", "I-15", "I-31", "I-43"}
SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "verdict.schema.json"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_unmutated_stack_passes_with_every_invariant_examined(drill_on_a_fit_host, backend, scenario):
    ran = drill_on_a_fit_host(scenario, "--backend", backend, "--seed", "1")
    assert ran.code == 0, ran.told()
    assert ran.verdict["verdict"] == "pass"
    examined = {one["id"]: one["examined"] for one in ran.verdict["invariants"]}
    assert set(examined) >= INVARIANTS
    assert all(examined[number] > 0 for number in INVARIANTS), examined
    assert ran.verdict["backend"] == backend
    jsonschema.validate(ran.verdict, json.loads(SCHEMA.read_text()))
    for part in ("postgresql", "nginx", "toxiproxy", "python", "locust"):
        assert ran.verdict["versions"][part]
    if scenario == "psp-response-lost":
        assert ran.verdict["load"]["ok"] >= 350
        assert ran.verdict["load"]["during_faults"] >= 30
