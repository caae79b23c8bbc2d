"""The reference target as a StackSetup, with shoppers at it: for faults that only a real shop can show."""

from __future__ import annotations

import itertools
import json
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from now_and_then import now_and_then

from paydrill.backends import Secrets, Stack, StackSetup
from paydrill.callers import bearer
from paydrill.faults import Fault, LoadGauge
from paydrill.load.child import LoadChild
from paydrill.load.offers import left_out
from paydrill.plan import PlannedLoad, Segment, crowds_of, herds_of, segments_of
from paydrill.scenario import Load, Step
from paydrill.target import Target
from paydrill.target_file import load_target
from paydrill.topology import CLIENT, PSP, Topology
from paydrill.topology_file import load_topology

TARGETS = Path(__file__).resolve().parents[2] / "targets"
ORDERS_PER_S = 6.0
MIX = {"checkout": 4.0, "refund": 1.0, "cancel": 1.0, "closed_browser": 1.0}
LONGEST_S = 1800.0
SHAPED_S = 8.0
READY_WITHIN_S = 20.0
MOST_IN_FLIGHT = 64
HOLD_EVERY_S = 0.4
HOLD_TOKENS = itertools.count(9_000_000)
TEA = {"sku": "tea-green", "qty": 1}
PRICE = 435


def reference(folder: Path, topology: str = "lb-2") -> StackSetup:
    """A setup of the reference target with a fresh run folder below `folder`."""
    target = load_target(TARGETS / "reference")
    return setup_with(target, load_topology(target, topology), folder)


def setup_with(target: Target, topology: Topology, folder: Path) -> StackSetup:
    run_dir = folder / f"run-{uuid.uuid4().hex[:8]}"
    (run_dir / "logs").mkdir(parents=True)
    return StackSetup(
        run_id=run_dir.name,
        run_dir=run_dir,
        target=target,
        source=target.folder,
        topology=topology,
        timing=target.timing,
        seed=7,
        psp_behaviour={},
        secrets=Secrets("sk_test_reference", "whsec_reference", "callers-reference"),
    )


@contextmanager
def shoppers(stack: Stack) -> Iterator[LoadGauge]:
    """A few orders a second, until the end of the block."""
    plan = PlannedLoad((Segment(0.0, LONGEST_S, ORDERS_PER_S),), mix_of(stack), MOST_IN_FLIGHT)
    with load_of(stack, plan, stack.setup.run_dir, series_of(stack)) as load:
        yield load


@contextmanager
def shaped(stack: Stack, fault: Fault) -> Iterator[LoadGauge]:
    """Customers as the fault wants them, which begins when the block does; a few seconds of it."""
    usual = Load(ORDERS_PER_S, SHAPED_S, mix_of(stack), MOST_IN_FLIGHT)
    step = Step(0.0, SHAPED_S, fault)
    target, seed = stack.setup.target, stack.setup.seed
    plan = PlannedLoad(
        segments_of(usual, (step,)),
        usual.mix,
        MOST_IN_FLIGHT,
        crowds=crowds_of(usual, (step,), target, seed),
        herds=herds_of(usual, (step,)),
    )
    folder = stack.setup.run_dir / f"shaped-{fault.name}"
    folder.mkdir()
    with load_of(stack, plan, folder, f"{series_of(stack)}{fault.name}") as load:
        yield load


def mix_of(stack: Stack) -> Mapping[str, float]:
    """Without the classes that the target does not offer."""
    missing = left_out(MIX, stack.setup.target, stack.topology)
    return {name: weight for name, weight in MIX.items() if name not in missing}


def series_of(stack: Stack) -> str:
    """A stack of somebody else's remembers the carts of those who came before."""
    return stack.setup.run_id if stack.setup.target.attached else ""


@contextmanager
def load_of(stack: Stack, plan: PlannedLoad, folder: Path, series: str = "") -> Iterator[LoadChild]:
    target, topology = stack.setup.target, stack.topology
    entrance = topology.entrance()
    psp = next((edge for edge in topology.edges if (edge.client, edge.server) == (CLIENT, PSP)), None)
    with LoadChild(
        plan=plan,
        client=target.client,
        catalogue=target.catalogue,
        timing=stack.setup.timing,
        seed=stack.setup.seed,
        base=stack.dial(entrance),
        history_dir=folder,
        log=stack.setup.run_dir / "logs" / "locust.log",
        edge=entrance.name,
        caller_secret=stack.setup.secrets.caller_secret,
        pricing=target.pricing,
        psp=stack.dial(psp) if psp else None,
        psp_edge=psp.name if psp else None,
        ca_file=stack.setup.ca_of(topology.node(entrance.server)),
        series=series,
    ) as load:
        load.wait_ready(READY_WITHIN_S)
        load.go(time.monotonic_ns() + 100_000_000)
        yield load


@contextmanager
def merchants_who_capture_later(stack: Stack) -> Iterator[None]:
    """Now and then an order whose money is only held: no traffic class asks for that."""
    at = f"http://{stack.dial(stack.topology.entrance())}"
    secret = stack.setup.secrets.caller_secret

    def hold() -> None:
        _hold(at, bearer(secret, "customer", "holder"), next(HOLD_TOKENS))

    with now_and_then("merchants-who-capture-later", HOLD_EVERY_S, hold):
        yield


def _hold(at: str, caller: str, token: int) -> None:
    cart = {"client_ref": f"hold-{token}", "items": [TEA], "currency": "USD", "expected_total": PRICE}
    order = _post(f"{at}/v1/orders", cart, caller, f"hold-{token}-create")
    payment = {"payment_token": f"pm_pd_{token}", "amount": PRICE, "currency": "USD", "capture": "later"}
    _post(f"{at}/v1/orders/{order['id']}/pay", payment, caller, f"hold-{token}-pay")


def _post(url: str, body: object, caller: str, key: str) -> dict[str, object]:
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {caller}",
        "Idempotency-Key": key,
    }
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=5) as answer:
        told: dict[str, object] = json.loads(answer.read())
        return told


def left_of_shop(stack: Stack, path: str) -> Iterator[str]:
    """Whether the shop can be entered, and its PSP behaves as before; that it is ready is asked of each node by itself."""
    for name, psp in stack.psps.items():
        if rules := psp.rules():
            yield f"{name} still has the rules {rules}"
    address = stack.dial(stack.topology.entrance())
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
            if answer.status != 200:
                yield f"the shop's entrance answers {answer.status}"
    except OSError as problem:
        yield f"the shop's entrance does not answer: {problem!r}"
