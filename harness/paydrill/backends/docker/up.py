"""Bringing a stack up, and taking it down again whatever happened between."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from docker.errors import APIError, NotFound

from paydrill.backends import NodePlan, StackSetup
from paydrill.backends.docker import (
    container,
    disks,
    engine,
    labels,
    network,
    owner,
    parallel,
    postgres_template,
    psp_container,
)
from paydrill.backends.docker.addressing import Addresses
from paydrill.backends.docker.blueprints import Drafter
from paydrill.backends.docker.container import Blueprint
from paydrill.backends.docker.images import Images
from paydrill.backends.docker.run_files import RunFiles
from paydrill.backends.docker.stack import ASK_AGAIN_S, TOXIPROXY_NODE, DockerStack
from paydrill.backends.nodes import plan_nodes, write_files
from paydrill.backends.tls import issue
from paydrill.errors import EnvironmentNotReady, Interrupted
from paydrill.run_folder import RunFolder
from paydrill.topology import PSP, Node

HEALTHY_WITHIN_S = 45.0


@contextmanager
def running(
    setup: StackSetup, images: Images, stop: Callable[[], bool] = lambda: False
) -> Iterator[DockerStack]:
    """The stack, healthy. Nothing of it is left when the block is left.

    Raises EnvironmentNotReady, UsageError (a template of the target), NotReady, and Interrupted when
    `stop` says so before it is healthy.
    """
    with ExitStack() as undo:
        files = RunFiles.make(setup.run_id, setup.run_dir / "logs")
        undo.callback(files.remove)
        undo.callback(_release_disks, files)
        devices = disks.attach(setup, files)
        marks = labels.of_run(setup.run_id, owner.of_process(), str(files.folder))
        undo.callback(_remove_network, setup.run_id)
        block = network.create(engine.client(), setup.run_id, marks)
        addresses = Addresses(block, setup.topology, setup.target)
        source = files.readable(setup.source, "target")
        others = {
            addresses.other_source_dir(number): files.readable(folder, f"other-{number}")
            for number, folder in enumerate(setup.sources.values())
        }
        pause = partial(_pause, stop)
        drafter = Drafter(setup, addresses, images, files, marks, source, others)
        stack = _started(setup, drafter, devices, undo, pause)
        stack.wait_healthy(setup.topology.nodes, HEALTHY_WITHIN_S, pause)
        stack.require_disks()
        yield stack


def _pause(stop: Callable[[], bool]) -> None:
    """Between two looks at the nodes."""
    if stop():
        raise Interrupted(signal.SIGINT)
    time.sleep(ASK_AGAIN_S)


def _started(
    setup: StackSetup,
    drafter: Drafter,
    devices: Mapping[Path, str],
    undo: ExitStack,
    pause: Callable[[], None],
) -> DockerStack:
    """Stores and their proxies first: services look for them when they begin."""
    tls = issue(setup, drafter.addresses)
    if tls is not None:
        RunFolder(setup.run_dir).ca.write_text(tls.ca, encoding="ascii")
    plans = plan_nodes(setup, drafter.addresses, tls)
    stores = [plan for plan in plans if plan.runtime == "postgres"]
    services = [plan for plan in plans if plan.runtime not in ("postgres", "psp")]
    for plan in stores:
        database = setup.target.services[plan.node.service].database
        postgres_template.provide(plan, drafter.images.target, database, drafter.files)
        if plan.node.name in setup.disks_of:
            folder = drafter.files.data(plan.node.name)
            disks.place_cluster(folder, folder / postgres_template.CLUSTER)
    setup.topology.node(PSP)  # without one nothing could be judged
    psps = [psp_container.draft(setup, node, plans, drafter, tls) for node in setup.topology.psps]
    for psp in psps:
        undo.callback(psp.give_back)
    # The containers go before what they use: see `running`.
    undo.callback(_remove_containers, setup.run_id)
    _start([*(drafter.node(plan) for plan in stores), drafter.toxiproxy(), *(psp.blueprint for psp in psps)])
    controls = {psp.node.name: psp.control() for psp in psps}
    stack = DockerStack(setup, drafter.addresses, drafter.images, drafter.files, controls, devices)
    undo.callback(stack.close)
    stack.wait_healthy([TOXIPROXY_NODE, *_nodes(stores)], HEALTHY_WITHIN_S, pause)
    pause()
    _start([_with_files(drafter, plan) for plan in services])
    return stack


def _nodes(plans: Sequence[NodePlan]) -> list[Node]:
    return [plan.node for plan in plans]


def _with_files(drafter: Drafter, plan: NodePlan) -> Blueprint:
    folder = drafter.files.data(plan.node.name)
    write_files(plan, folder)
    drafter.files.user.give(folder)
    return drafter.node(plan)


def _start(blueprints: Sequence[Blueprint]) -> None:
    parallel.each(_start_one, blueprints)


def _start_one(blueprint: Blueprint) -> None:
    """Raises EnvironmentNotReady with the engine's words."""
    try:
        container.create(engine.client(), blueprint).start()
    except APIError as problem:
        raise EnvironmentNotReady(
            f"container {blueprint.name}: {problem.explanation or problem}"
        ) from problem


def _remove_containers(run_id: str) -> None:
    mark = {"label": f"{labels.RUN}={run_id}"}
    listed = engine.client().api.containers(all=True, filters=mark)
    parallel.each(_remove_one, [str(one["Id"]) for one in listed])


def _remove_one(container_id: str) -> None:
    with contextlib.suppress(NotFound):
        engine.client().api.remove_container(container_id, force=True, v=True)


def _release_disks(files: RunFiles) -> None:
    """One that is still in use is left to the sweep, which comes after everything of the run is gone."""
    with contextlib.suppress(OSError):
        disks.release(files.folder)


def _remove_network(run_id: str) -> None:
    with contextlib.suppress(NotFound):
        engine.client().networks.get(labels.network_name(run_id)).remove()
