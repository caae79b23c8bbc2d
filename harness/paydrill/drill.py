"""One drill from the outside: a run folder, a backend, a conductor beside the stack, then the judge.

The harness itself stays outside of the drill's world, so that it can judge, clean up and tell the
user whatever happens inside.
"""

from __future__ import annotations

import os
import secrets
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from types import FrameType

from paydrill import needs, other_sources
from paydrill.backends import Backend, Outcome, Secrets, StackSetup, World
from paydrill.backends.choose import choose_for
from paydrill.blast_radius import refused
from paydrill.conductor import course
from paydrill.control import control_of, marked
from paydrill.errors import Interrupted, UsageError
from paydrill.faults import Fault, known
from paydrill.judge import get_ready, judge, write_outcome
from paydrill.mutants import apply_mutant
from paydrill.not_run import not_run, why_not
from paydrill.phase_teller import PhaseTeller
from paydrill.plan import PlannedFault, fault_of
from paydrill.request import DrillRequest
from paydrill.run_folder import LineLog, RunFolder
from paydrill.run_record import add_to_run, begin_run, new_run_id
from paydrill.target import Timing
from paydrill.verdict import Reason, Verdict

POLL_S = 0.2
STOP_WITHIN_S = 4.0
READY_AFTER_S = 4.0
Say = Callable[[str], None]


def run_drills(requests: Sequence[DrillRequest], *, out: Path, progress: Say) -> list[Verdict]:
    """Run them one after another. Raises Interrupted (after healing), EnvironmentNotReady, and UsageError
    for a plan that would break what is not the run's.
    """
    for request in requests:
        if beyond := refused(request.plan, known(), request.target, request.topology):
            raise UsageError("\n".join(beyond))
    verdicts = []
    for request in requests:
        choice = choose_for(request.backend, request.target, request.topology, request.owned, progress)
        progress(f"backend {choice.backend.name}: {choice.why}")
        if why := why_not(request.plan, choice.backend.name, known()):
            progress(f"not run: {why.detail}")
            verdicts.append(_not_run(request, choice.backend, out, why))
            continue
        control = None
        if request.control:
            progress("the control first: the same plan without its faults")
            control = _run_one(control_of(request), choice.backend, out, progress)
        verdicts.append(_run_one(request, choice.backend, out, progress, control))
    return verdicts


def _not_run(request: DrillRequest, backend: Backend, out: Path, why: Reason) -> Verdict:
    """A folder with a verdict and reports, as of every drill; nothing is started."""
    run_id, run = _new_folder(request, backend, out)
    verdict = not_run(request, backend.name, why, run_id)
    write_outcome(run, verdict)
    return verdict


def _run_one(
    request: DrillRequest, backend: Backend, out: Path, progress: Say, control: Verdict | None = None
) -> Verdict:
    run_id, run = _new_folder(request, backend, out)
    progress(f"drill {request.scenario.name} on {request.topology.name}, seed {request.seed}: {run.path}")
    if request.plan.load.left_out:
        names = ", ".join(request.plan.load.left_out)
        progress(f"left out of the load, because {request.target.name} does not offer it: {names}")
    with (
        _source_of(request) as source,
        _other_sources(request, source) as others,
        _stop_signals() as stops,
    ):
        setup = replace(_setup(request, run_id, run, source), sources=others)
        with LineLog(run.timeline) as timeline:
            timeline.write("phase", name="starting")
        outcome = _conduct(backend, setup, request, run, stops, progress)
        return _judge(run, outcome, stops, progress, control)


def _conduct(
    backend: Backend, setup: StackSetup, request: DrillRequest, run: RunFolder, stops: Stops, progress: Say
) -> Outcome:
    catalogue = known()
    faults = {fault.id: fault_of(fault, catalogue) for fault in request.plan.faults}
    with backend.launch(setup, course(request.plan, faults, run)) as world:
        return _wait(world, run, stops, progress)


def _wait(world: World, run: RunFolder, stops: Stops, progress: Say) -> Outcome:
    """Wait for the conductor; pass a stop on; notice a dead watchdog."""
    phases = PhaseTeller(run.timeline, progress)
    asked_s, waited_s = 0.0, 0.0
    while (outcome := world.wait(POLL_S)) is None:
        phases.tell()
        waited_s += POLL_S
        if waited_s >= READY_AFTER_S:
            get_ready()  # the stack is up by now; only the first time takes any time
        if stops.signal_number:
            world.request_stop()
            asked_s += POLL_S
        if asked_s > STOP_WITHIN_S:
            return Outcome(None, signal.SIGKILL, "it did not come down in time after a stop was asked for")
        if not world.watchdog_alive():
            return Outcome(
                None, None, "watchdog_died: the watchdog ended unplanned; everything was taken down"
            )
    phases.tell()
    return outcome


def _judge(run: RunFolder, outcome: Outcome, stops: Stops, progress: Say, control: Verdict | None) -> Verdict:
    with LineLog(run.timeline) as timeline:
        if not _reached_its_end(run):
            code = "interrupted" if stops.signal_number else _code_of(outcome)
            timeline.write("aborted", code=code, detail=outcome.detail or f"the conductor ended: {outcome}")
        timeline.write("phase", name="judging")
        progress("judging")
        verdict = judge(run)
        verdict = marked(verdict, control) if control else verdict
        write_outcome(run, verdict)
        timeline.write("phase", name="end")
    if stops.signal_number:
        raise Interrupted(stops.signal_number)
    return verdict


def _reached_its_end(run: RunFolder) -> bool:
    lines = run.timeline.read_bytes()
    return b'"name":"collected"' in lines or b'"kind":"aborted"' in lines or b'"instrument_died"' in lines


def _code_of(outcome: Outcome) -> str:
    """The reason code at the head of the outcome's words, where its error had one."""
    word = outcome.detail.partition(":")[0]
    return word if word and word.replace("_", "").isalpha() and " " not in word else "conductor_died"


def _new_folder(request: DrillRequest, backend: Backend, out: Path) -> tuple[str, RunFolder]:
    """A folder that no other drill has, also not one that began in the same second."""
    first = new_run_id(request)
    for number in range(1, 1000):
        run_id = first if number == 1 else f"{first}-{number}"
        run = RunFolder(out.resolve() / run_id)
        try:
            begin_run(run, run_id, request, backend.name, _timing(request))
        except FileExistsError:
            continue
        add_to_run(run, needs=dict(needs.of_plan(request.plan, backend.name, known())))
        _point_latest_at(run.path)
        return run_id, run
    raise UsageError(f"{out} holds a thousand runs named {first}: choose another folder with --out")


def _point_latest_at(path: Path) -> None:
    temporary = path.parent / f".latest-{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(path.name)
    temporary.replace(path.parent / "latest")


def _setup(request: DrillRequest, run_id: str, run: RunFolder, source: Path) -> StackSetup:
    return StackSetup(
        run_id=run_id,
        run_dir=run.path,
        target=request.target,
        source=source,
        topology=request.topology,
        timing=_timing(request),
        seed=request.seed,
        psp_behaviour=request.plan.psp,
        disks_of=_hit(request.plan.faults, lambda fault: fault.hits == "disk"),
        clocks_of=_hit(request.plan.faults, lambda fault: getattr(fault, "prepared", None) == "clock"),
        io_of=_hit(request.plan.faults, lambda fault: getattr(fault, "prepared", None) == "io"),
        memory_of=_hit(request.plan.faults, lambda fault: getattr(fault, "prepared", None) == "memory"),
        secrets=Secrets(
            psp_api_key="sk_test_" + secrets.token_hex(12),
            webhook_secret="whsec_" + secrets.token_hex(16),
            caller_secret=secrets.token_hex(16),
        ),
    )


def _hit(faults: Sequence[PlannedFault], by: Callable[[type[Fault]], bool]) -> tuple[str, ...]:
    """The nodes that the plan's faults of that kind hit."""
    catalogue = known()
    hit = [
        place
        for fault in faults
        if fault.name in catalogue and by(catalogue[fault.name])
        for place in fault.places
    ]
    return tuple(dict.fromkeys(hit))


def _timing(request: DrillRequest) -> Timing:
    names = {field.name for field in fields(Timing)}
    changed = {name: value for name, value in request.plan.timing.items() if name in names}
    return replace(request.target.timing, **changed)  # type: ignore[arg-type]


@contextmanager
def _source_of(request: DrillRequest) -> Iterator[Path]:
    """The target's own folder, or a changed copy of it that lives as long as the drill."""
    if request.mutant is None:
        yield request.target.folder
        return
    with tempfile.TemporaryDirectory(prefix="paydrill-mutant-") as folder:
        copy = Path(folder) / request.target.name
        apply_mutant(request.target.folder, request.mutant.patch, copy)
        os.chmod(folder, 0o755)  # the nodes run as other users
        yield copy


@contextmanager
def _other_sources(request: DrillRequest, source: Path) -> Iterator[Mapping[str, Path]]:
    """What some nodes run for a while, by name; it lives as long as the drill."""
    faults = [fault_of(fault, known()) for fault in request.plan.faults]
    with tempfile.TemporaryDirectory(prefix="paydrill-sources-") as folder:
        os.chmod(folder, 0o755)  # the nodes run as other users
        yield other_sources.prepare(faults, request.target.folder, source, Path(folder))


class Stops:
    """Which stop signal came, if any. The first one heals; a second one of the same kind changes nothing."""

    def __init__(self) -> None:
        self.signal_number = 0

    def note(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = self.signal_number or number


@contextmanager
def _stop_signals() -> Iterator[Stops]:
    stops = Stops()
    before = {number: signal.signal(number, stops.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
