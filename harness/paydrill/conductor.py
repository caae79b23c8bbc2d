"""What runs beside the stack, from *healthy* to *collected*: load, faults, healing, quiet, evidence.

It decides nothing itself: `schedule.next_action` says what is due, faults know how they are put in
force and healed, and everything that happens is written to the timeline as it happens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from hashlib import sha256

from paydrill import collector, host_fit
from paydrill.backends import Stack
from paydrill.clock import MonotonicClock
from paydrill.errors import DrillBroken, InstrumentDied, PaydrillError
from paydrill.faults import FOR_EVER_S, Fault, InForce, Scene, Unfolds
from paydrill.load.child import LoadChild
from paydrill.plan import Plan, PlannedFault
from paydrill.processors import FullProcessors
from paydrill.quiescence import wait_until_settled
from paydrill.run_folder import LineLog, RunFolder
from paydrill.run_record import record_stack
from paydrill.schedule import (
    Await,
    Finish,
    Fired,
    GiveUp,
    Heal,
    Inject,
    LoadOver,
    Passed,
    State,
    Trouble,
    WaitUntil,
    begin,
    next_action,
)
from paydrill.topology import CLIENT, PSP
from paydrill.toxiproxy.client import Bytes
from paydrill.toxiproxy.traffic import edge_bytes
from paydrill.watch import Firing, Watch
from paydrill.witnesses import Witnesses

POLL_S = 0.05
LOOK_AT_INSTRUMENTS_S = 0.25  # with Docker each look asks the engine
LEAD_S = 0.15
HEALTHY_AGAIN_S = 15.0
LOAD_DRAIN_S = 45.0
FINAL_READS_S = 20.0
LOOK_S = 3.0
DRAIN_S = 5.0
STOPPED = "a stop was asked for"


@dataclass
class Conductor:
    """One drill's course. `faults` are the plan's faults as objects, by their id."""

    plan: Plan
    faults: Mapping[int, Fault]
    run: RunFolder
    timeline: LineLog
    contexts: dict[int, AbstractContextManager[InForce]] = field(default_factory=dict)
    in_force: dict[int, InForce] = field(default_factory=dict)
    witnesses: Witnesses = field(init=False)
    watch: Watch = field(init=False)
    processors: FullProcessors = field(default_factory=FullProcessors)
    moved_before: Mapping[str, Bytes] = field(default_factory=dict)
    """What edges carried until Toxiproxy was last started anew: its counters begin at zero then."""

    def conduct(self, stack: Stack, stop_asked: Callable[[], bool]) -> None:
        """Run the whole course. What breaks it is written to the timeline and raised again."""
        stack.toxiproxy.before_restart = lambda why: self._note_restart(stack, why)
        with Witnesses(self.timeline) as self.witnesses:
            try:
                self._course(stack, stop_asked)
            except DrillBroken as problem:
                kind = "instrument_died" if isinstance(problem, InstrumentDied) else "aborted"
                name = problem.instrument if isinstance(problem, InstrumentDied) else problem.code
                self.timeline.write(kind, name=name, code=problem.code, detail=problem.detail)
                self._heal_everything(stack)
                raise

    def _course(self, stack: Stack, stop_asked: Callable[[], bool]) -> None:
        self._phase("steady")
        before = host_fit.sample()
        with self._load(stack) as load:
            record_stack(self.run, stack)
            load.wait_ready(20.0)
            ended = self._drill(stack, load, stop_asked)
            self._phase("healing")
            self._heal_everything(stack)
            if ended:
                self.timeline.write("aborted", code=ended, detail=self.watch.must_abort() or STOPPED)
                return
            stack.wait_healthy(stack.topology.nodes, HEALTHY_AGAIN_S)
            self._phase("quiescing")
            self._quiesce(stack, load, stop_asked)
            self._phase("collecting")
            self._collect(stack, load)
            happened = host_fit.between(before, host_fit.sample())
            self.timeline.write("host", **happened, full_s=round(self.processors.full_s, 3))
        self._phase("collected")

    def _load(self, stack: Stack) -> LoadChild:
        target, entrance = stack.setup.target, stack.topology.entrance()
        edges = stack.topology.edges
        psp = next((edge for edge in edges if (edge.client, edge.server) == (CLIENT, PSP)), None)
        return LoadChild(
            plan=self.plan.load,
            client=target.client,
            catalogue=target.catalogue,
            timing=stack.setup.timing,
            seed=self.plan.seed,
            base=stack.dial(entrance),
            history_dir=self.run.path,
            log=self.run.logs / "locust.log",
            edge=entrance.name,
            caller_secret=stack.setup.secrets.caller_secret,
            pricing=target.pricing,
            psp=stack.dial(psp) if psp else None,
            psp_edge=psp.name if psp else None,
            ca_file=stack.setup.ca_of(stack.topology.node(entrance.server)),
            # Only a stack of somebody else's remembers the carts of earlier drills.
            series=sha256(stack.setup.run_id.encode()).hexdigest()[:8] if target.attached else "",
        )

    # -- load and faults

    def _drill(self, stack: Stack, load: LoadChild, stop_asked: Callable[[], bool]) -> str:
        """Returns empty, or the trouble that ended it (`interrupted`, `aborted`); raises InstrumentDied."""
        with Watch(stack, self.run, load, self.plan) as self.watch, self.processors:
            t0_ns = time.monotonic_ns() + int(LEAD_S * 1e9)
            load.go(t0_ns)
            self._phase("load", t0=t0_ns)
            self.watch.begin(t0_ns)
            return self._until_over(stack, load, stop_asked, t0_ns)

    def _until_over(self, stack: Stack, load: LoadChild, stop_asked: Callable[[], bool], t0_ns: int) -> str:
        scene = Scene(stack, load, self.plan.seed, fault_id=0)
        state = begin(self.plan.faults)
        over, next_look_s = False, 0.0
        while True:
            self.witnesses.note_what_was_seen()
            now_s = (time.monotonic_ns() - t0_ns) / 1e9
            if now_s >= next_look_s:
                self._check_instruments(stack, load)
                next_look_s = now_s + LOOK_AT_INSTRUMENTS_S
            if stop_asked():
                state, action = next_action(state, Trouble("interrupted"))
            elif self.watch.must_abort():
                state, action = next_action(state, Trouble("aborted"))
            elif firing := self.watch.take():
                self._note_firing(firing)
                state, action = next_action(state, Fired(firing.fault, now_s))
            elif not over and now_s >= self.plan.load.duration_s:
                over = True
                state, action = next_action(state, LoadOver())
            else:
                state, action = next_action(state, Passed(now_s))
            match action:
                case Inject(fault):
                    self._inject(fault, replace(scene, fault_id=fault), _end_s(state, fault))
                case Heal(fault):
                    self._heal(fault, stack)
                case Await(fault):
                    self._begin_to_watch(fault)
                case GiveUp(fault):
                    self._give_up(fault)
                case Finish():
                    return state.trouble
                case WaitUntil(at_s):
                    due_s = self._unfold()
                    now_s = (time.monotonic_ns() - t0_ns) / 1e9
                    self.watch.wait(min(POLL_S, due_s, at_s - now_s))

    def _unfold(self) -> float:
        """Let every fault in force go on; the seconds until one of them wants to again."""
        return min(
            (one.step() for one in self.in_force.values() if isinstance(one, Unfolds)), default=FOR_EVER_S
        )

    def _begin_to_watch(self, fault_id: int) -> None:
        when = self._planned(fault_id).when
        if when is not None:
            self.watch.arm(fault_id, when)

    def _note_firing(self, firing: Firing) -> None:
        self.timeline.write(
            "fired",
            id=firing.fault,
            name=firing.event,
            detail=firing.told,
            t_event=firing.t_ns,
            held=firing.held,
            facts=firing.facts,
        )

    def _give_up(self, fault_id: int) -> None:
        """Its event has not come: the fault is not put in force, and the drill says so."""
        seen, when = self.watch.give_up(fault_id), self._planned(fault_id).when
        told = "its event" if when is None else when.condition.told()
        until = 0.0 if when is None else when.before_s
        detail = f"{told} did not come until {until:g} s after the load began"
        detail += f"; {seen}" if seen else ""
        self.timeline.write("unfired", id=fault_id, detail=detail)

    def _strike(self, fault_id: int) -> None:
        """The fault is in force: the answer that is held for it goes."""
        strike = self.watch.strike(fault_id)
        if strike is None:
            return
        held_ms = round((strike.released_ns - strike.held_at_ns) / 1e6, 3)
        detail = "" if strike.in_time else "the PSP had let the answer go before the fault was in force"
        self.timeline.write(
            "released",
            id=fault_id,
            in_time=strike.in_time,
            held_ms=held_ms,
            facts=strike.facts(),
            detail=detail,
        )

    def _inject(self, fault_id: int, scene: Scene, end_s: float) -> None:
        planned, fault = self._planned(fault_id), self.faults[fault_id]
        self._phase("fault", id=fault_id)
        self._count_bytes(scene.stack, planned, "before")
        context = fault.inject(scene)
        self.in_force[fault_id] = context.__enter__()
        self.contexts[fault_id] = context
        self.timeline.write(
            "fault",
            id=fault_id,
            name=planned.name,
            where=list(planned.places),
            fields=dict(planned.fields),
            effect=fault.effect,
            expects=fault.expects,
            carries=fault.carries,
            planned_end_s=end_s,
        )
        self._strike(fault_id)
        if fault.looks == "at once":
            self.witnesses.look(planned, self.in_force[fault_id])

    def _heal(self, fault_id: int, stack: Stack) -> None:
        planned = self._planned(fault_id)
        in_force, context = self.in_force.pop(fault_id, None), self.contexts.pop(fault_id, None)
        if in_force is None or context is None:
            return
        if self.faults[fault_id].looks == "at its end":
            self.witnesses.look(planned, in_force)
        self.witnesses.await_look(fault_id)
        self._count_bytes(stack, planned, "after")
        problem = ""
        try:
            context.__exit__(None, None, None)
        except PaydrillError as error:
            problem = str(error)
        self.timeline.write("heal", id=fault_id, name=planned.name, clean=not problem, detail=problem)
        if not self.in_force:
            self._phase("load")

    def _heal_everything(self, stack: Stack) -> None:
        """Every fault, then the proxies as a whole, then read back that nothing is left."""
        for fault_id in list(self.in_force):
            self._heal(fault_id, stack)
        self.witnesses.note_what_was_seen()
        if "toxiproxy" in stack.dead_instruments():
            return
        if stack.toxiproxy.leftovers():
            stack.toxiproxy.reset()
        left = stack.toxiproxy.leftovers()
        self.timeline.write("healed", clean=not left, detail="; ".join(left))

    # -- quiet and evidence

    def _quiesce(self, stack: Stack, load: LoadChild, stop_asked: Callable[[], bool]) -> None:
        finished = load.wait_done(LOAD_DRAIN_S)
        seen = load.counters
        self.timeline.write("load_end", finished=finished, ops=seen.ops, dropped=seen.dropped)
        settled = wait_until_settled(stack, self.run, stop_asked, lambda: load.final_reads(LOOK_S))
        self.timeline.write(
            "settled",
            open_work=settled.open_work,
            psp_pending=settled.psp_pending,
            owed=settled.owed,
            waited_s=round(settled.waited_s, 3),
            in_time=settled.in_time,
        )
        self._check_instruments(stack, load)

    def _collect(self, stack: Stack, load: LoadChild) -> None:
        first = collector.read_facts(stack, self.run, snap=1)
        self.timeline.write("snapshot", snap=1, equal=None)
        # Whatever still works behind our back gets a full period of the reconciler to show itself.
        next_ns = time.monotonic_ns() + int(stack.setup.timing.reconcile_period_s * 1e9)
        load.final_reads(FINAL_READS_S)
        MonotonicClock().sleep_until(next_ns)
        second = collector.read_facts(stack, self.run, snap=2)
        self.timeline.write("snapshot", snap=2, equal=collector.equal(first, second))
        self._check_instruments(stack, load)
        for psp in stack.psps.values():
            psp.freeze()
        for name, psp in stack.psps.items():
            frozen = psp.drain(DRAIN_S).status
            self.timeline.write(
                "psp_freeze", name=name, n=frozen.n, head=frozen.head, in_flight=frozen.in_flight
            )

    # -- small things

    def _planned(self, fault_id: int) -> PlannedFault:
        return next(fault for fault in self.plan.faults if fault.id == fault_id)

    def _phase(self, name: str, **fields: object) -> None:
        self.timeline.write("phase", name=name, **fields)

    def _check_instruments(self, stack: Stack, load: LoadChild) -> None:
        dead = stack.dead_instruments() + ([] if load.alive() else ["locust"])
        if dead:
            raise InstrumentDied(dead[0], "ended although the plan did not ask for it")

    def _note_restart(self, stack: Stack, why: str) -> None:
        """Toxiproxy is about to be started anew, which cuts every connection through it."""
        self.moved_before = self._moved(stack)
        self.timeline.write("instrument_restarted", name="toxiproxy", detail=why)

    def _moved(self, stack: Stack) -> Mapping[str, Bytes]:
        """By the edge's name, since the stack began."""
        return {edge: seen + self.moved_before.get(edge, Bytes()) for edge, seen in edge_bytes(stack).items()}

    def _count_bytes(self, stack: Stack, planned: PlannedFault, when: str) -> None:
        """An edge that has carried nothing yet is counted as zero, not left out."""
        edges = [place for place in planned.places if "->" in place]
        moved = self._moved(stack) if edges else {}
        for edge in edges:
            seen = moved[edge]
            self.timeline.write(
                "counters", id=planned.id, when=when, edge=edge, received=seen.received, sent=seen.sent
            )


def _end_s(state: State, fault_id: int) -> float:
    """When it will be healed, seconds after the load began."""
    return next(fault.end_s for fault in state.in_force if fault.id == fault_id)


def course(
    plan: Plan, faults: Mapping[int, Fault], run: RunFolder
) -> Callable[[Stack, Callable[[], bool]], None]:
    """The conductor as the backends want it: one function of the stack."""

    def conduct(stack: Stack, stop_asked: Callable[[], bool]) -> None:
        with LineLog(run.timeline) as timeline:
            Conductor(plan, faults, run, timeline).conduct(stack, stop_asked)

    return conduct
