"""What the conductor is told: events from files as they grow, each once, and when it must give up."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from paydrill.events import OnEvent, OnGauge, When
from paydrill.plan import Plan, PlannedFault, PlannedLoad, Segment
from paydrill.psp.control import Held
from paydrill.run_folder import LineLog, RunFolder
from paydrill.scenario import AbortIf
from paydrill.watch import Watch
from paydrill.watch.holds import Strike

BEGUN = When(OnEvent("fault.begun", 2, {"fault": "down"}), 0.0, 9.0)
WITHIN_S = 20.0


def plan(*faults: When, abort_if: tuple[AbortIf, ...] = ()) -> Plan:
    planned = tuple(
        PlannedFault(number, "kill", when.after_s, when.before_s + 1, {"node": "a-1"}, ("a-1",), when)
        for number, when in enumerate(faults, 1)
    )
    load = PlannedLoad((Segment(0.0, 10.0, 1.0),), {"checkout": 1.0}, 10)
    return Plan("s", "t", "shop", 1, load, planned, {}, {}, abort_if)


@pytest.fixture
def watching(tmp_path):
    """A watch over an empty run folder, and the log of its timeline."""

    @contextmanager
    def watch(plan: Plan, in_flight: int = 0):
        run = RunFolder(tmp_path)
        load = SimpleNamespace(counters=SimpleNamespace(in_flight=in_flight))
        with LineLog(run.timeline) as timeline, Watch(SimpleNamespace(psps={}), run, load, plan) as one:
            yield one, timeline

    return watch


def begun(timeline: LineLog, name: str) -> int:
    return timeline.write("fault", id=1, name=name)


def test_the_event_is_told_with_its_line_and_only_those_after_it_was_armed_count(watching):
    with watching(plan(BEGUN)) as (watch, timeline):
        begun(timeline, "down")
        watch.arm(1, BEGUN)
        begun(timeline, "down")
        begun(timeline, "latency")
        t_ns = begun(timeline, "down")
        begun(timeline, "down")
        watch.wait(WITHIN_S)
        firing = watch.take()
        assert firing is not None
        assert (firing.fault, firing.event, firing.t_ns, firing.held) == (1, "fault.begun", t_ns, False)
        assert firing.facts == {"fault": "down"}
        assert watch.take() is None
        assert watch.strike(1) is None


class HeldAtOnce(Strike):
    """The PSP holds the first answer before anybody could do anything else."""

    def await_held(self, told):
        self.held = Held(1, 191, "after_commit", "create", 1825, "pi_1", 5, 77)
        told()


def test_an_answer_that_is_held_within_the_moment_of_arming_is_not_missed(watching, monkeypatch):
    held = When(OnEvent("psp.captured", 1, {}), 0.0, 9.0, hold=True)
    control = SimpleNamespace(name="psp", close=lambda: None)
    monkeypatch.setattr("paydrill.watch.hold_for", lambda psps, at, condition: HeldAtOnce(control, 1, None))
    with watching(plan(held)) as (watch, _):
        watch.arm(1, held)
        firing = watch.take()
        assert firing is not None
        assert (firing.fault, firing.t_ns, firing.held, firing.facts["pi"]) == (1, 77, True, "pi_1")


def test_giving_up_says_how_many_had_come(watching):
    with watching(plan(BEGUN, BEGUN)) as (watch, timeline):
        watch.arm(1, BEGUN)
        begun(timeline, "down")
        watch.arm(2, BEGUN)
        begun(timeline, "down")
        watch.wait(WITHIN_S)
        assert watch.take().fault == 1
        assert (watch.give_up(2), watch.must_abort()) == ("1 had come", "")


def test_a_condition_that_ends_the_drill_counts_from_the_begin_of_the_load(watching):
    ends = AbortIf(OnEvent("fault.begun", 2), 0.0)
    with watching(plan(abort_if=(ends,))) as (watch, timeline):
        t0_ns = begun(timeline, "down") + 1
        watch.begin(t0_ns)
        begun(timeline, "down")
        begun(timeline, "down")
        watch.wait(WITHIN_S)
        assert watch.must_abort() == "abort_if: fault.begun (2nd)"


@pytest.mark.parametrize(("in_flight", "ends"), [(20, True), (19, False)])
def test_a_number_beyond_its_bound_ends_the_drill(watching, in_flight, ends):
    crowded = AbortIf(OnGauge("in_flight", "over", 19))
    with watching(plan(abort_if=(crowded,)), in_flight) as (watch, _):
        watch.begin(0)
        watch.wait(WITHIN_S if ends else 1.0)
        assert watch.must_abort() == ("abort_if: in_flight over 19 (20 was seen)" if ends else "")


def test_a_number_that_stays_within_its_bound_is_told_when_it_is_given_up(watching):
    crowded = When(OnGauge("in_flight", "over", 19), 0.0, 9.0)
    with watching(plan(crowded), in_flight=12) as (watch, _):
        watch.arm(1, crowded)
        watch.wait(1.0)
        assert watch.take() is None
        assert watch.give_up(1) == "it was 12 last"


def test_a_number_that_nobody_tells_is_given_up_as_such(watching):
    slow = When(OnGauge("ok_ratio", "under", 0.5), 0.0, 9.0)
    with watching(plan(slow)) as (watch, _):
        watch.arm(1, slow)
        watch.wait(1.0)
        assert watch.give_up(1) == "nobody tells it"


def test_a_file_that_cannot_be_read_any_more_ends_the_drill(watching, tmp_path):
    with watching(plan(BEGUN)) as (watch, _):
        with RunFolder(tmp_path).timeline.open("ab") as file:
            file.write(b'{"t": 1, "kind": \n')
        watch.wait(WITHIN_S)
        assert watch.must_abort().startswith("the run's files cannot be followed: JSONDecodeError")
