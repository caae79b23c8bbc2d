"""Benign controls: odd and correct. A finding on one of them would accuse an honest shop."""

from __future__ import annotations

from pathlib import Path

import pytest

from paydrill.mutants import check_mutant

pytestmark = pytest.mark.drill

REFERENCE = Path(__file__).resolve().parents[2] / "targets" / "reference"
CONTROLS = {
    "B1": ["benign-slow-answers"],
    "B2": ["benign-webhooks-thrice"],
    "B3": ["steady", "--mutant", str(REFERENCE / "controls" / "B03-honest-503.patch"),
           "--set", "expect.slo.availability=>= 0.9"],
    "B4": ["benign-lost-webhooks"],
    "B5": ["steady", "--mutant", str(REFERENCE / "controls" / "B05-two-captures.patch")],
    "B8": ["benign-repeat-purchase"],
}  # fmt: skip

# With Docker one stands for all; `make test-all` runs every one.
CASES = [("local", control) for control in CONTROLS] + [
    pytest.param(
        "docker", control, marks=[pytest.mark.docker, *([] if control == "B5" else [pytest.mark.exhaustive])]
    )
    for control in CONTROLS
]


@pytest.mark.parametrize(("backend", "control"), CASES, indirect=["backend"])
def test_a_benign_control_passes(drill_on_a_fit_host, backend, control):
    ran = drill_on_a_fit_host(*CONTROLS[control], "--backend", backend, "--seed", "1")
    assert ran.code == 0, ran.told()
    assert not ran.findings, ran.told()


def test_the_patches_of_controls_apply():
    for patch in sorted((REFERENCE / "controls").glob("*.patch")):
        assert check_mutant(REFERENCE, patch).title
