"""The reference target as a StackSetup, with shoppers at it: for faults that only a real shop can show."""

from __future__ import annotations

import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paydrill.backends import Secrets, Stack, StackSetup
from paydrill.faults import LoadGauge
from paydrill.load.child import LoadChild
from paydrill.plan import PlannedLoad, Segment
from paydrill.target_file import load_target
from paydrill.topology import CLIENT, PSP
from paydrill.topology_file import load_topology

FOLDER = Path(__file__).resolve().parents[2] / "targets" / "reference"
ORDERS_PER_S = 6.0
MIX = {"checkout": 4.0, "refund": 1.0, "cancel": 1.0, "closed_browser": 1.0}
LONGEST_S = 1800.0
READY_WITHIN_S = 20.0
MOST_IN_FLIGHT = 64


def reference(folder: Path, topology: str = "lb-2") -> StackSetup:
    """A setup of the reference target with a fresh run folder below `folder`."""
    run_dir = folder / f"run-{uuid.uuid4().hex[:8]}"
    (run_dir / "logs").mkdir(parents=True)
    target = load_target(FOLDER)
    return StackSetup(
        run_id=run_dir.name,
        run_dir=run_dir,
        target=target,
        source=target.folder,
        topology=load_topology(target, topology),
        timing=target.timing,
        seed=7,
        psp_behaviour={},
        secrets=Secrets("sk_test_reference", "whsec_reference", "callers-reference"),
    )


@contextmanager
def shoppers(stack: Stack) -> Iterator[LoadGauge]:
    """A few orders a second, until the end of the block."""
    target, topology = stack.setup.target, stack.topology
    entrance = topology.entrance()
    psp = next(edge for edge in topology.edges if (edge.client, edge.server) == (CLIENT, PSP))
    with LoadChild(
        plan=PlannedLoad((Segment(0.0, LONGEST_S, ORDERS_PER_S),), MIX, MOST_IN_FLIGHT),
        client=target.client,
        catalogue=target.catalogue,
        timing=stack.setup.timing,
        seed=stack.setup.seed,
        base=stack.dial(entrance),
        history_dir=stack.setup.run_dir,
        log=stack.setup.run_dir / "logs" / "locust.log",
        edge=entrance.name,
        caller_secret=stack.setup.secrets.caller_secret,
        pricing=target.pricing,
        psp=stack.dial(psp),
        psp_edge=psp.name,
        ca_file=stack.setup.ca_of(topology.node(entrance.server)),
    ) as load:
        load.wait_ready(READY_WITHIN_S)
        load.go(time.monotonic_ns() + 100_000_000)
        yield load


def left_of_shop(stack: Stack) -> Iterator[str]:
    """Whether the shop can be entered; that it is ready is asked of each node by itself."""
    address = stack.dial(stack.topology.entrance())
    try:
        with urllib.request.urlopen(f"http://{address}/livez", timeout=10) as answer:
            if answer.status != 200:
                yield f"the shop's entrance answers {answer.status}"
    except OSError as problem:
        yield f"the shop's entrance does not answer: {problem!r}"
