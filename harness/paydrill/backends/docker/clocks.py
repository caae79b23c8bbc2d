"""The wall clock and the time zone of containers: what enter.sh gives each start of the node.

Both lie in the folder that the container has mounted at its entrance; the clock is looked at at run time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paydrill.backends import ProcessIdentity, StackSetup, failing_io, fake_time, zones
from paydrill.backends.docker.addressing import DATA
from paydrill.backends.docker.container import ENTRANCE
from paydrill.backends.docker.run_files import RunFiles
from paydrill.errors import FaultNotApplied
from paydrill.topology import Node

CLOCK = "clock"


@dataclass(frozen=True)
class DockerClocks:
    """See paydrill.backends.clocks.Clocks. process: who runs as a node now."""

    setup: StackSetup
    files: RunFiles
    process: Callable[[Node], ProcessIdentity | None]

    def step(self, node: Node, step_s: int) -> None:
        if node.name not in self.setup.clocks_of:
            raise FaultNotApplied(f"{node.name} was not started with a clock of its own")
        fake_time.write(self.files.at_entrance(node.name, CLOCK), step_s)

    def use_zone(self, node: Node, zone: str | None) -> None:
        _prepare_start(self.setup, self.files, node, zone)

    def zone_of(self, node: Node) -> str | None:
        who = self.process(node)
        return None if who is None else zones.of_process(who.pid)


def prepare(setup: StackSetup, files: RunFiles, node: Node) -> None:
    """A right clock for a node that has one, before it starts; its entrance is there already."""
    if node.name in setup.clocks_of:
        fake_time.write(files.at_entrance(node.name, CLOCK), fake_time.RIGHT)
    _prepare_start(setup, files, node, None)


def _prepare_start(setup: StackSetup, files: RunFiles, node: Node, zone: str | None) -> None:
    """What enter.sh puts before and after the node's command at its next start."""
    env: dict[str, str] = {}
    if node.name in setup.io_of:
        env = failing_io.together(env, failing_io.environment(f"{DATA}/{failing_io.PIPES}"))
    if node.name in setup.clocks_of:
        env = failing_io.together(env, fake_time.environment(f"{ENTRANCE}/{CLOCK}"))
    after: tuple[str, ...] = ()
    if zone is not None:
        env[zones.VARIABLE] = zone
        after = zones.arguments(setup.target.services[node.service].runtime, zone)
    before = [f"{name}={value}" for name, value in env.items()]
    for name, words in (("before", before), ("after", after)):
        files.at_entrance(node.name, name).write_text(" ".join(words), encoding="ascii")
