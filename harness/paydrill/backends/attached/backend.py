"""Drilling a stack that runs already: the harness puts itself between it, its customers and its PSP."""

from __future__ import annotations

import errno
import os
import signal
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from paydrill.backends import Address, Conductor, Secrets, StackSetup, World, processes
from paydrill.backends.attached.own_parts import start_psp, start_toxiproxy
from paydrill.backends.attached.places import Places
from paydrill.backends.attached.reach import Reach
from paydrill.backends.attached.stack import PSP_HEALTH, AttachedStack
from paydrill.backends.local.journal import Footprint
from paydrill.backends.local.spawn import log_tail
from paydrill.backends.probe import PAUSE_S, Probe, ask, short_pause, wait_until_healthy
from paydrill.backends.world import launch
from paydrill.errors import EnvironmentNotReady, Interrupted, UsageError
from paydrill.parts import Part, toxiproxy
from paydrill.psp.control import PspControl
from paydrill.target import Attached, Health, Secret
from paydrill.topology import PSP, Node
from paydrill.toxiproxy.client import Toxiproxy
from paydrill.watchdog import WorldPlan

HEALTHY_WITHIN_S = 10.0
ONE_LOOK_S = 2.0
TOXIPROXY = "toxiproxy"


@dataclass(frozen=True)
class AttachedBackend:
    """`attached` as declared, `reach` as resolved and allowed (reach.py)."""

    attached: Attached
    reach: Reach
    name: str = "attached"

    def missing(self) -> list[str]:
        """Toxiproxy, the stack itself, or the place of its PSP."""
        found = []
        try:
            toxiproxy.find()
        except EnvironmentNotReady as problem:
            found.append(str(problem))
        if seen := ask(self._entrance(), ONE_LOOK_S):
            url = f"http://{self.reach.entrance}{self.attached.health}"
            found.append(f"the stack does not answer {url} ({seen}): start it first")
        if why := _taken(self.reach.psp):
            found.append(why)
        return found

    @contextmanager
    def launch(self, setup: StackSetup, conductor: Conductor) -> Iterator[World]:
        """See paydrill.backends.Backend. Call it while the process has one thread."""
        program = toxiproxy.find()
        setup = replace(
            setup,
            run_dir=setup.run_dir.resolve(),
            source=setup.source.resolve(),
            secrets=secrets_of(self.attached, setup.secrets),
        )
        footprint = _footprint(setup)
        footprint.write()
        Path(footprint.work).mkdir(mode=0o700)
        plan = WorldPlan(
            log=setup.run_dir / "logs" / "conductor.log",
            namespaces="none",
            work=self._work(setup, program, Path(footprint.work), conductor),
            sweep=footprint.remove,
        )
        with launch(plan) as world:
            yield world

    def _work(
        self, setup: StackSetup, program: Part, work: Path, conductor: Conductor
    ) -> Callable[[Callable[[], bool]], None]:
        def inside(stop_requested: Callable[[], bool]) -> None:
            with _stack(Places.draw(setup, self.reach), program, work, stop_requested) as stack:
                conductor(stack, stop_requested)

        return inside

    def _entrance(self) -> Probe:
        node = Node(f"{self.attached.service}-1", self.attached.service, 1)
        return Probe(node, self.reach.entrance, Health(http=self.attached.health))


@contextmanager
def _stack(places: Places, program: Part, work: Path, stop: Callable[[], bool]) -> Iterator[AttachedStack]:
    """The harness's parts between the stack and the world, everything healthy. Raises NotReady, Interrupted."""

    def pause() -> None:
        if stop():
            raise Interrupted(signal.SIGINT)
        time.sleep(PAUSE_S)

    running = {PSP: start_psp(places), TOXIPROXY: start_toxiproxy(places, program, work)}
    own = {
        PSP: Probe(places.setup.topology.node(PSP), places.psp(), PSP_HEALTH),
        TOXIPROXY: Probe(Node(TOXIPROXY, TOXIPROXY, 0), places.toxiproxy(), Health(http="/version")),
    }

    def wait_for(probes: Sequence[Probe], pause: Callable[[], None]) -> None:
        wait_until_healthy(
            probes,
            HEALTHY_WITHIN_S,
            lambda node: None if running[node.name].poll() is None else "its process has ended",
            lambda node: log_tail(str(places.log(node.name))),
            pause,
        )

    def start_anew() -> None:
        running[TOXIPROXY].kill()
        running[TOXIPROXY].wait()
        running[TOXIPROXY] = start_toxiproxy(places, program, work, enabled=False)
        # Also when a stop is asked for: that is when all is healed.
        wait_for([own[TOXIPROXY]], short_pause)

    wait_for(list(own.values()), pause)
    with ExitStack() as undo:
        proxies, control = Toxiproxy(places.toxiproxy(), start_anew), PspControl(places.control)
        undo.callback(proxies.close)
        undo.callback(control.close)
        stack = AttachedStack(places.setup, places, program, proxies, control, running)
        stack.wait_healthy(places.setup.topology.nodes, HEALTHY_WITHIN_S, pause)
        yield stack


def secrets_of(attached: Attached, otherwise: Secrets) -> Secrets:
    """What the stack was started with. Raises UsageError for a variable that is not set."""

    def value(key: str, secret: Secret | None) -> str:
        if secret is None:
            return str(getattr(otherwise, key))
        if not secret.env:
            return secret.text
        found = os.environ.get(secret.env, "")
        if not found:
            raise UsageError(
                f"attached.{key}: the environment variable {secret.env} is not set; "
                "give it the value that the stack was started with"
            )
        return found

    return Secrets(
        psp_api_key=value("psp_api_key", attached.psp_api_key),
        webhook_secret=value("webhook_secret", attached.webhook_secret),
        caller_secret=value("caller_secret", attached.caller_secret),
    )


def _taken(address: Address) -> str | None:
    """Why the harness cannot listen where the stack calls its PSP."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address.host, address.port))
        except OSError as problem:
            if problem.errno == errno.EADDRNOTAVAIL:
                return f"attached.psp: {address.host} is no address of this machine: nobody can listen there"
            return f"attached.psp: {address} cannot be listened at ({problem.strerror}): is something there already?"
    return None


def _footprint(setup: StackSetup) -> Footprint:
    """So that `paydrill clean` finds what a killed drill left."""
    me = processes.stat(os.getpid())
    assert me is not None
    return Footprint(
        run_id=setup.run_id,
        owner_pid=me.pid,
        owner_started=me.started,
        run_dir=str(setup.run_dir),
        run_mode=setup.run_dir.stat().st_mode & 0o7777,
        work=str(Path(tempfile.gettempdir(), f"paydrill-{uuid.uuid4().hex[:12]}")),
    )
