"""What time it is for a node: a clock that can be stepped, and the time zone of its next start."""

from __future__ import annotations

from typing import Protocol

from paydrill.topology import Node


class Clocks(Protocol):
    """Monotonic clocks are never touched."""

    def step(self, node: Node, step_s: int) -> None:
        """Its wall clock is so many seconds ahead (or behind, below 0) from now on; 0 puts it right.

        Raises FaultNotApplied where the node was not started with a clock of its own: StackSetup.clocks_of.
        """
        ...

    def use_zone(self, node: Node, zone: str | None) -> None:
        """The time zone of its next starts, None for its own. What runs now keeps what it has."""
        ...

    def zone_of(self, node: Node) -> str | None:
        """The TZ that its main process was started with, as the kernel has it; None when nobody runs."""
        ...
