"""Whole drills of the second target: it is correct, its planted bug is found, and the verdict says what it could not see."""

from __future__ import annotations

import pytest

from paydrill.invariants.catalogue import known

pytestmark = pytest.mark.drill

READ_OF_THE_HARNESS = {"intent", "intent_token", "op", "psp_effect", "psp_request", "webhook", "timeline"}
"""Tables that need no word of the target."""


@pytest.mark.parametrize("scenario", ["steady", "psp-response-lost"])
def test_the_shop_passes_without_a_fact_of_its_own(drill_on_a_fit_host, backend, scenario):
    ran = drill_on_a_fit_host(scenario, "--target", "minishop", "--backend", backend)
    assert ran.code == 0, ran.told()
    assert (ran.verdict["verdict"], ran.verdict["target"], ran.verdict["backend"]) == (
        "pass",
        "minishop",
        backend,
    )
    for number in ("I-01", "I-02", "I-04", "I-05", "I-06", "I-08", "I-15", "I-31", "I-43"):
        assert ran.invariant(number)["verdict"] == "pass", number
        assert ran.invariant(number)["examined"] > 100, number
    assert ran.verdict["load"]["ok"] >= 350
    assert ran.verdict["load"]["left_out"] == ["refund"]
    if scenario == "psp-response-lost":
        assert ran.verdict["load"]["during_faults"] >= 30
    for library in ("flask", "waitress", "stripe"):
        assert library in {name.lower() for name in ran.verdict["versions"]}
    says_what_it_could_not_see(ran)


def says_what_it_could_not_see(ran):
    """By name: tables that an invariant needs make it not examined, those that it would compare are told."""
    for rule in known():
        result = ran.invariant(rule.id)
        if missing := [table for table in rule.needs if table not in READ_OF_THE_HARNESS]:
            assert result["verdict"] == "not_examined", rule.id
            assert result["detail"].startswith(f"not_given: needs {', '.join(missing)}"), result["detail"]
        elif absent := [table for table in rule.uses if table not in READ_OF_THE_HARNESS]:
            assert result["detail"].endswith(f"not: {', '.join(absent)}"), result["detail"]


def test_its_planted_double_charge_is_found(drill_on_a_fit_host, backend):
    arguments = ("psp-response-lost", "--target", "minishop", "--mutant", "M01", "--backend", backend)
    ran = drill_on_a_fit_host(*arguments)
    assert ran.code == 1, ran.told()
    assert ran.verdict["mutant"] == "M01"
    assert {"I-01", "I-02"} <= set(ran.findings), ran.told()
    assert all(finding["money_at_risk"] for finding in ran.findings["I-01"])


def test_what_still_settles_when_the_load_ends_is_waited_for(drill_on_a_fit_host, tmp_path):
    """The PSP comes back as the last customer goes: only the public API can say when the shop knows it all."""
    scenario = tmp_path / "late.yaml"
    scenario.write_text(
        "name: late\n"
        "title: {en: The PSP is silent until the end, zh: 直到最后都没有应答}\n"
        "why: Payments that settle after the load are open, and nobody but the public API says so.\n"
        "load: {rate: 30/s, duration: 12s, mix: {checkout: 1}}\n"
        "timeline:\n"
        "  - {at: 5s, for: 6.9s, fault: timeout, edge: payments->psp, direction: downstream}\n"
        "expect: {invariants: all, min_ok: 0}\n"
    )
    # Customers who give up before the shop knows, and a settler that comes seldom.
    slow = ("--set", "timing.client_s=0.8", "--set", "timing.reconcile_period_s=5")
    ran = drill_on_a_fit_host(str(scenario), "--target", "minishop", "--backend", "local", *slow)
    assert ran.verdict["load"]["info"] > 0, "nobody gave up: nothing was left open"
    undecided = [one["id"] for one in ran.verdict["invariants"] if one["verdict"] != "pass"]
    assert undecided == [], ran.told()
