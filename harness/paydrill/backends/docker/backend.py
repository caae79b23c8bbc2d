"""The docker backend: what it needs, and a world with a conductor beside a stack of containers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from paydrill.backends import Conductor, StackSetup, World, world
from paydrill.backends.docker import base_image, disks, engine, images, up
from paydrill.backends.docker.sweep import sweep, thaw_disks
from paydrill.errors import EnvironmentNotReady
from paydrill.watchdog import StopRequested, WorldPlan

Say = Callable[[str], None]


class DockerBackend:
    """A `Backend`. `say` gets a line for each thing that takes long, such as building an image."""

    name = "docker"

    def __init__(self, say: Say = lambda _line: None) -> None:
        self._say = say

    def missing(self) -> list[str]:
        """An engine on this very machine: containers mount our folders, and we dial their addresses."""
        if lacks := engine.missing():
            return lacks
        return [*engine.not_of_this_machine(), *base_image.missing()]

    def launch(self, setup: StackSetup, conductor: Conductor) -> AbstractContextManager[World]:
        """Images are built first where they are absent. Raises EnvironmentNotReady."""
        if setup.disks_of and (lacks := disks.missing()):
            raise EnvironmentNotReady(lacks)
        found = images.obtain(setup.target, self._say)
        # The child must not go on talking on the parent's connections.
        engine.forget()
        return world.launch(
            WorldPlan(
                log=setup.run_dir / "logs" / "conductor.log",
                namespaces="none",
                work=partial(_work, setup, found, conductor),
                sweep=partial(_sweep, setup.run_id),
                release=partial(thaw_disks, setup.run_id),
            )
        )


def _work(setup: StackSetup, found: images.Images, conductor: Conductor, stop: StopRequested) -> None:
    """The conductor's process."""
    engine.forget()
    with up.running(setup, found, stop) as stack:
        conductor(stack, stop)


def _sweep(run_id: str) -> None:
    """The watchdog's, or the harness's when the watchdog is dead."""
    engine.forget()
    sweep(run_id)
