"""Attacks and unwelcome visitors: the reference stack stands them, and who is fooled is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paydrill.mutants import check_mutant

pytestmark = pytest.mark.drill

HERE = Path(__file__).parent
ATTACKS, CROWD = HERE / "attacks.yaml", HERE / "crowd-and-junk.yaml"
# Patches of the reference stack, each of which believes one of the attacks: which, and what finds it.
FOOLED = {
    "unsigned-events": ("forged_webhook", {"I-31", "I-43"}),
    "events-of-any-age": ("stale_webhook", {"I-31", "I-43"}),
    "orders-of-anybody": ("idor_probe", {"I-43"}),
}
MEASURED_OF_MOST = 0.8


REFERENCE = HERE.parents[1] / "targets" / "reference"


def witnesses(folder: Path) -> dict[str, dict[str, object]]:
    """What was measured of each fault, by its name."""
    lines = [json.loads(line) for line in (folder / "timeline.jsonl").read_text().splitlines()]
    names = {line["id"]: line["name"] for line in lines if line["kind"] == "fault"}
    return {names[line["id"]]: line["measured"] for line in lines if line["kind"] == "witness"}


BACKENDS = pytest.mark.parametrize(
    "backend",
    ["local", pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.exhaustive])],
    indirect=True,
)


@BACKENDS
def test_the_reference_stack_refuses_every_attack(drill_on_a_fit_host, backend):
    ran = drill_on_a_fit_host(str(ATTACKS), "--backend", backend, "--seed", "3")
    assert ran.code == 0, ran.told()
    seen = witnesses(ran.folder)
    for name in ("forged_webhook", "stale_webhook", "idor_probe", "sqli_probe"):
        measured = seen[name]
        assert measured["accepted"] == measured["errors_5xx"] == measured["slow"] == 0, (name, measured)
        assert measured["refused"] == measured["answered"] >= MEASURED_OF_MOST * measured["sent"] > 0
    assert seen["replayed_webhook"]["status_200"] == seen["replayed_webhook"]["answered"] > 0


@pytest.mark.exhaustive
@BACKENDS
def test_a_crowd_and_junk_cost_nobody_money(drill_on_a_fit_host, backend):
    ran = drill_on_a_fit_host(str(CROWD), "--backend", backend, "--seed", "3")
    assert ran.code == 0, ran.told()
    seen = witnesses(ran.folder)
    assert seen["junk_flood"]["accepted"] == 0
    assert seen["thundering_herd"]["herds"] == 3
    (crowd,) = [one for one in ran.verdict["load"]["classes"] if one["name"] == "hot_sku"]
    assert crowd["arrivals"] == crowd["as_declared"], "some of the crowd were neither paid nor refused"
    assert crowd["signatures"] > 0, "the crowd got all that it wanted"
    history = (ran.folder / "history-0.jsonl").read_text()
    assert "/slow/" not in history and "wp-login" not in history


@pytest.mark.exhaustive
@pytest.mark.parametrize("backend", ["local"], indirect=True)
@pytest.mark.parametrize("patch", sorted(FOOLED))
def test_who_believes_an_attack_is_found(drill, backend, patch):
    attack, listed = FOOLED[patch]
    mutant = HERE / "fooled" / f"{patch}.patch"
    ran = drill(str(ATTACKS), "--backend", backend, "--seed", "3", "--mutant", str(mutant))
    assert ran.code == 1, ran.told()
    assert set(ran.findings) & listed, ran.told()
    assert witnesses(ran.folder)[attack]["accepted"] > 0


@pytest.mark.exhaustive
def test_who_puts_ids_into_sql_is_seen_by_what_it_answers(drill):
    """No invariant about money is broken by who only reads: it shows in what was measured of the probe."""
    mutant = HERE / "fooled" / "sql-in-ids.patch"
    ran = drill(str(HERE / "sqli.yaml"), "--backend", "local", "--seed", "3", "--mutant", str(mutant))
    measured = witnesses(ran.folder)["sqli_probe"]
    assert measured["sent"] > 216, "not every text was in every value once"
    assert measured["slow"] > 0, (measured, ran.told())
    assert measured["errors_5xx"] > 0, (measured, ran.told())


def test_the_patches_of_fooled_stacks_apply():
    patches = sorted((HERE / "fooled").glob("*.patch"))
    assert {patch.stem for patch in patches} == {*FOOLED, "sql-in-ids"}
    for patch in patches:
        assert check_mutant(REFERENCE, patch).title
