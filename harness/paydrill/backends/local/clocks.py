"""The wall clock and the time zone of local nodes: what each start of one is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from paydrill.backends import NodePlan, fake_time, zones
from paydrill.backends.local.node_process import NodeProcess
from paydrill.backends.local.spawn import Order
from paydrill.errors import EnvironmentNotReady, FaultNotApplied
from paydrill.topology import Node


@dataclass
class LocalClocks:
    """See paydrill.backends.clocks.Clocks. `own`: nodes with a clock of their own (StackSetup.clocks_of).

    folder: of the clocks' files, seen by nodes and conductor at the same place
    """

    own: Sequence[str]
    folder: Path
    nodes: Mapping[str, NodeProcess]
    zones: dict[str, str] = field(default_factory=dict)

    def make(self) -> None:
        """Right clocks for all that have one."""
        if self.own:
            self.folder.mkdir(mode=0o755, exist_ok=True)
            for name in self.own:
                fake_time.write(self.folder / name, fake_time.RIGHT)

    def seen_by(self, plan: NodePlan, order: Order) -> Order:
        """The order of a start as it is due now."""
        name = plan.node.name
        if name in self.own:
            order = replace(order, env={**order.env, **fake_time.environment(str(self.folder / name))})
        if zone := self.zones.get(name):
            env = {**order.env, zones.VARIABLE: zone}
            order = replace(order, env=env, argv=(*order.argv, *zones.arguments(plan.runtime, zone)))
        return order

    def step(self, node: Node, step_s: int) -> None:
        if node.name not in self.own:
            raise FaultNotApplied(f"{node.name} was not started with a clock of its own")
        fake_time.write(self.folder / node.name, step_s)

    def use_zone(self, node: Node, zone: str | None) -> None:
        self.zones.pop(node.name, None)
        if zone is not None:
            self.zones[node.name] = zone

    def zone_of(self, node: Node) -> str | None:
        who = self.nodes[node.name].who()
        return None if who is None else zones.of_process(who.pid)


def require_fake_time(nodes: Sequence[str], *, own_memory: bool) -> None:
    """Raises EnvironmentNotReady when the clocks of these nodes cannot be stepped.

    own_memory: whether /dev/shm is the drill's own; libfaketime leaves a file there when it is killed.
    """
    if not nodes:
        return
    if not own_memory:
        raise EnvironmentNotReady(f"clock_step of {', '.join(nodes)}: needs a mount namespace of its own")
    if lacks := fake_time.missing():
        raise EnvironmentNotReady(f"clock_step of {', '.join(nodes)}: {lacks}")
