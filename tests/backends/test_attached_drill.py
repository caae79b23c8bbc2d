"""The two commands of targets/attached/README.md, as somebody would type them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import shop_by_hand
from shop_by_hand import BIN, EXAMPLE, ROOT, await_entrance, commands

DRILLS = ROOT / "tests" / "drills"
STANDS_STILL = """\
name: stands-still
title: {en: Toxiproxy stands still while a fault is healed}
why: What is between somebody's stack and its customers is mended by who put it there.
load: {rate: 20/s, duration: 14s, mix: {checkout: 1}}
timeline: [{at: 4s, for: 3s, fault: latency, edge: client->payments, latency_ms: 700}]
"""
KILL = """\
name: kill-the-shop
title: {en: The shop dies, zh: 商店崩溃}
why: Nobody but its owner can do that.
load: {rate: 20/s, duration: 10s, mix: {checkout: 1}}
timeline: [{at: 4s, for: 2s, fault: kill, node: payments}]
expect: {invariants: all}
"""


@pytest.fixture
def by_hand(tmp_path):
    if taken := shop_by_hand.port_in_use():
        pytest.skip(f"something of somebody else's listens on port {taken} of this machine")
    with shop_by_hand.started(tmp_path) as process:
        yield process


def paydrill(*arguments, out, program=(BIN / "paydrill",)):
    """The exit code, verdicts and stderr of `paydrill …` into a folder of the test."""
    done = subprocess.run(
        [*program, *arguments, "--json", "--out", out],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None, done.stderr


@pytest.mark.drill
def test_a_stack_that_was_started_by_hand_is_drilled_by_its_addresses(by_hand, tmp_path):
    words = commands()[1].split()
    assert words[0] == "paydrill"
    code, verdicts, stderr = paydrill(*words[1:], out=tmp_path / "reports")
    assert code == 0, (stderr, [verdict["reasons"] for verdict in verdicts or ()])
    assert [verdict["scenario"] for verdict in verdicts] == ["steady", "psp-response-lost"]
    for verdict in verdicts:
        assert (verdict["verdict"], verdict["backend"], verdict["target"]) == ("pass", "attached", "attached")
        assert verdict["load"]["ok"] >= 350
        assert all(one["examined"] > 0 for one in verdict["invariants"] if one["verdict"] == "pass")
    assert verdicts[1]["load"]["during_faults"] >= 30
    assert by_hand.poll() is None, "the stack belongs to somebody else and goes on"
    await_entrance(by_hand)


@pytest.mark.drill
@pytest.mark.exhaustive
def test_a_crowd_and_junk_come_to_a_stack_of_somebody_elses_too(by_hand, tmp_path):
    crowd = DRILLS / "crowd-and-junk.yaml"
    code, verdict, stderr = paydrill("run", str(crowd), "--target", "attached", out=tmp_path / "reports")
    assert code == 0, (stderr, verdict and verdict["reasons"])
    timeline = (tmp_path / "reports" / "latest" / "timeline.jsonl").read_text().splitlines()
    seen = [line for line in map(json.loads, timeline) if line["kind"] == "witness"]
    assert len(seen) == 5 and all(line["witnessed"] for line in seen)


@pytest.mark.drill
def test_a_toxiproxy_that_stands_still_before_it_is_started_anew(by_hand, tmp_path):
    (tmp_path / "still.yaml").write_text(STANDS_STILL)
    code, verdict, stderr = paydrill(
        *("run", str(tmp_path / "still.yaml"), "--target", "attached"),
        out=tmp_path / "reports",
        program=(sys.executable, DRILLS / "with_an_impatient_client.py"),
    )
    assert code == 0, (stderr, verdict and verdict["reasons"])
    assert "toxiproxy had to be started anew" in stderr
    assert by_hand.poll() is None


@pytest.mark.drill
def test_a_fault_that_needs_a_process_is_not_run_and_nothing_is_started(by_hand, tmp_path):
    (tmp_path / "kill.yaml").write_text(KILL)
    code, verdict, stderr = paydrill(
        "run", str(tmp_path / "kill.yaml"), "--target", "attached", out=tmp_path / "reports"
    )
    assert code == 3, stderr
    assert verdict["verdict"] == "not_run"
    assert [(reason["code"], "kill on payments-1" in reason["detail"]) for reason in verdict["reasons"]] == [
        ("backend_cannot", True)
    ]
    assert not list((tmp_path / "reports").glob("*/psp/journal.jsonl"))
    assert (tmp_path / "reports" / "latest" / "report.html").exists()
    await_entrance(by_hand)


@pytest.fixture
def public(tmp_path):
    """The example, its entrance at a public address."""
    folder = tmp_path / "attached"
    shutil.copytree(EXAMPLE, folder)
    text = (folder / "target.yaml").read_text()
    (folder / "target.yaml").write_text(text.replace("127.0.0.1:8200", "93.184.216.34:80"))
    return folder


def test_a_public_address_is_refused_and_says_what_would_allow_it(public, tmp_path):
    code, _, stderr = paydrill("run", "steady", "--target", str(public), out=tmp_path / "reports")
    assert code == 2
    assert "93.184.216.34" in stderr and "--i-own-this-target attached" in stderr
    assert not (tmp_path / "reports").exists()


def test_its_owner_may_name_it_and_only_by_its_own_name(public, tmp_path):
    dry = ("run", "steady", "--target", str(public), "--dry-run")
    assert paydrill(*dry, "--i-own-this-target", "attached", out=tmp_path / "reports")[0] == 0
    code, _, stderr = paydrill(*dry, "--i-own-this-target", "other", out=tmp_path / "reports")
    assert code == 2 and "the target of this drill is attached" in stderr


def test_no_bug_can_be_planted_in_it(tmp_path):
    code, _, stderr = paydrill(
        "run", "steady", "--target", "attached", "--mutant", "M01", out=tmp_path / "reports"
    )
    assert code == 2 and "somebody else runs attached" in stderr


def test_a_stack_that_does_not_run_is_told_before_anything_starts(tmp_path):
    folder = tmp_path / "attached"
    shutil.copytree(EXAMPLE, folder)
    text = (folder / "target.yaml").read_text()
    (folder / "target.yaml").write_text(text.replace("127.0.0.1:8200", "127.0.0.1:9"))
    code, _, stderr = paydrill("run", "steady", "--target", str(folder), out=tmp_path / "reports")
    assert code == 4, stderr
    assert "start it first" in stderr
    assert not (tmp_path / "reports").exists()
