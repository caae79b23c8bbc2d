"""`paydrill`, in whose drills a customer leaves right before a latency at the entrance is taken off.

It stays out of the load: no intent, and no entry in the history.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paydrill.cli import main
from paydrill.faults import InForce, Scene
from paydrill.faults.latency import Latency

sys.path[:0] = [str(Path(__file__).parents[1])]

from impatient_client import ask_often_and_leave  # noqa: E402

inject = Latency.inject


@contextmanager
def inject_and_leave(fault: Latency, scene: Scene) -> Iterator[InForce]:
    with inject(fault, scene) as in_force:
        yield in_force
        entrance = scene.stack.topology.entrance()
        if entrance in scene.stack.topology.edges_at(fault.edge):
            ask_often_and_leave(scene.stack.dial(entrance), "/nothing")


Latency.inject = inject_and_leave  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
