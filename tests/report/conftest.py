from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from paydrill.report.model import RunReport
from paydrill.report.series import Band, Bin, Series
from paydrill.report.stories import Story, StoryEvent, stories_of
from paydrill.verdict import (
    ClassResult,
    FaultResult,
    Finding,
    GuardResult,
    InvariantResult,
    LoadResult,
    Money,
    Reason,
    Recovery,
    SloResult,
    Verdict,
)

HOSTILE = "</style><script>alert(1)</script>'\"><img src=//evil.example/x onerror=x> \x1b[31m\x00\u202e]]>&amp; | `@all` [x](http:x)"


@pytest.fixture(scope="session")
def hand() -> ModuleType:
    """Run folders written by hand, as the tests of the judge have them."""
    path = Path(__file__).parents[1] / "judge" / "drill_folder.py"
    spec = importlib.util.spec_from_file_location("drill_folder_for_reports", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_verdict(word: str = "fail", text: str = "psp-response-lost", findings: int = 2) -> Verdict:
    broken = tuple(
        Finding(
            f"i{n}", f"charged twice {text}", (Money("USD", 4998), Money("JPY", 500)), (f"op{n}", f"eff{n}")
        )
        for n in range(findings)
    )
    return Verdict(
        verdict=word,  # type: ignore[arg-type]
        reasons=() if word == "pass" else (Reason("invariant_failed", f"I-01 {text}"),),
        scenario=text,
        topology="lb-2",
        backend="local",
        target="reference",
        mutant=None if word == "pass" else text,
        seed=7,
        started="2026-01-01T00:00:00.000+00:00",
        duration_s=27.3,
        overhead_s=2.4,
        invariants=(
            InvariantResult("I-01", "no standing double charge", "fail" if broken else "pass", 400, broken),
            InvariantResult("I-04", text, "inconclusive", 3, (), f"undecided: {text}"),
            InvariantResult("I-28", "outbox complete", "not_examined", 0, (), "needs delivery"),
        ),
        guards=(
            GuardResult("load_ran", "pass", "800 operations"),
            GuardResult("windows_hit", "inconclusive", f"hit 2 times {text}", "window_missed"),
        ),
        slos=(
            SloResult("availability", "pass", ">= 0.90", 0.991),
            SloResult("p99_ms", "fail", "< 800", None),
        ),
        recovery=Recovery(rto_s=1.2, settle_s=3.4),
        faults=(FaultResult("timeout", f"payments-1->psp {text}", 5.0, 11.0, True, f"silence {text}"),),
        load=LoadResult(
            400,
            396,
            1,
            2,
            1,
            240,
            800,
            classes=(
                ClassResult("checkout", 300, 298, f"a paid order {text}", 298),
                ClassResult("hot_sku", 100, 100, "a 409", 0),
            ),
            left_out=("challenge",),
        ),
        versions={"toxiproxy": "2.12.0", text: text},
        run="20260101T000000-psp-response-lost-lb-2-s7",
        warnings=(text,),
    )


def make_report(verdict: Verdict, text: str = "The PSP charges, and its answer is lost") -> RunReport:
    bins = tuple(Bin(float(s), 20.0, 18.0 if 5 <= s < 11 else 20.0, 2.0, 30.0, 900.0) for s in range(20))
    events = tuple(
        StoryEvent(5.0 + n / 10, "psp", f"eff{n}", f"PSP capture 4998 USD {text}", n in (1, 3))
        for n in range(5)
    )
    stories = tuple(
        Story(story.intent, story.headline, story.also, story.money, events)
        for story in stories_of(verdict.invariants)
    )
    return RunReport(
        verdict=verdict,
        title=text,
        why=text,
        path=Path("/tmp/reports/run"),
        series=Series(1.0, 20.0, bins, (Band(text, 5.0, 11.0, True), Band("kill", 5.5, 7.0, False))),
        stories=stories,
        money=(Money("JPY", 1000), Money("USD", 9996)),
        replay=("paydrill run x --seed 7", "paydrill check reports/x"),
    )


@pytest.fixture
def make():
    """`make(word, text, findings)` -> RunReport."""

    def build(word: str = "fail", text: str = "psp-response-lost", findings: int = 2) -> RunReport:
        return make_report(make_verdict(word, text, findings), text)

    return build


@pytest.fixture
def hostile(make) -> RunReport:
    """A report in which every text that is not ours attacks its reader."""
    return make("fail", HOSTILE)
