"""`--set PATH=VALUE`: what it changes, and that its mistakes name the option."""

from __future__ import annotations

import pytest

BASE = """\
name: sample
title: {en: A sample}
why: It shows what a scenario looks like.
load: {rate: 40/s, duration: 20s, mix: {checkout: 8, read: 3}}
timeline:
  - {at: 5s, for: 6s, fault: timeout, edge: payments->psp}
"""


def test_values_are_replaced_and_added(load):
    scenario = load(
        BASE,
        "load.rate=80/s",
        "load.mix.read=0",
        "expect.slo.availability=>= 0.5",
        "timeline[0].at=7s",
        "timeline.0.for=1s",
        "expect.invariants=[I-01]",
        "psp={decline: 0.2}",
    )
    assert scenario.load.rate_per_s == 80.0
    assert scenario.load.mix == {"checkout": 8.0, "read": 0.0}
    assert scenario.expect.slo == {"availability": ">= 0.5"}
    assert scenario.expect.invariants == ("I-01",)
    assert (scenario.timeline[0].at_s, scenario.timeline[0].for_s) == (7.0, 1.0)
    assert scenario.psp == {"decline": 0.2}


def test_the_kept_text_is_what_is_run(load):
    changed = load(BASE, "load.rate=80/s", "timeline[0].at=7s")
    again = load(changed.text)
    assert (again.load, again.timeline, again.why) == (changed.load, changed.timeline, changed.why)
    assert changed.text.startswith("# --set 'load.rate=80/s'\n")


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("load.rate=fast", "--set load.rate=fast:1:11: load.rate: 'fast' is not a rate such as 40/s or 600/m (did you mean 40/s?)"),
        ("load.rat=80/s", "--set load.rat=80/s:1:1: load.rat: unknown key 'rat': expected one of duration, max_in_flight, mix, rate"),
        ("expct.min_ok=1", "--set expct.min_ok=1:1:1: expct: unknown key 'expct' (did you mean expect?)"),
        ("load.rate", "--set load.rate:1:1: expected PATH=VALUE (did you mean --set load.rate=80/s?)"),
        ("timeline[3].at=1s", "--set timeline[3].at=1s:1:1: timeline[3].at: there is no item 3: the list has 1, counted from 0 (did you mean [0]?)"),
        ("name.x=1", "--set name.x=1:1:1: name.x: 'x' cannot be set: there are no keys at that place"),
        ("psp={decline: 2}", "--set psp={decline: 2}:1:15: psp.decline: expected a number from 0 to 1, got '2' (did you mean 1?)"),
        ("load..rate=1/s", "--set load..rate=1/s:1:1: expected PATH=VALUE (did you mean --set load.rate=80/s?)"),
    ],
)  # fmt: skip
def test_a_mistake_names_the_option(mistakes, override, line):
    assert mistakes_of(mistakes, override) == [line]


def mistakes_of(mistakes, override):
    return mistakes(BASE, override)
