"""From nothing to a healthy stack, inside the world, in the order that saves the most time.

The view of the files comes first (nothing may be executed before), then the fork server and the PSPs
begin to import while PostgreSQL is cloned and Toxiproxy starts; services come when the database answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from paydrill.backends import StackSetup, namespaces
from paydrill.backends.local import firewall
from paydrill.backends.local.capabilities import Capabilities
from paydrill.backends.local.imports import third_party_imports
from paydrill.backends.local.parts import LocalParts
from paydrill.backends.local.site import make_folders, mount_disks, prepare_site, rules_of
from paydrill.backends.local.spawn import fork_serving
from paydrill.backends.local.stack import LocalStack
from paydrill.backends.local.start import (
    HEALTHY_WITHIN_S,
    psp_control,
    start_databases,
    start_psps,
    start_services,
    start_toxiproxy,
    toxiproxy_client,
    wait_for_databases,
)


@contextmanager
def bring_up(
    setup: StackSetup,
    able: Capabilities,
    parts: LocalParts,
    work: Path,
    stop: Callable[[], bool],
    devices: Mapping[Path, str],
) -> Iterator[LocalStack]:
    """The healthy stack. `work` is the run's temporary folder on this machine, empty; `devices` the disks
    of nodes, by their mount points in it.

    Runs in the conductor, first thing. Raises NotReady, EnvironmentNotReady, UsageError (templates)
    and Interrupted when `stop` says so.
    """
    namespaces.no_new_privileges()
    site = prepare_site(setup, able, parts, work, stop)
    make_folders(site)
    site.devices = {site.work / mount: device for mount, device in devices.items()}
    mount_disks(site)
    site.clocks.make()
    if able.firewall:
        firewall.require(rules_of(site.layout))
    with ExitStack() as stack:
        libraries = third_party_imports(site.layout.source)
        server = stack.enter_context(fork_serving(libraries, site.layout.log("fork-server")))
        psps = start_psps(site)
        start_databases(site)
        start_toxiproxy(site)
        wait_for_databases(site)
        start_services(site, server)
        toxiproxy = toxiproxy_client(site)
        stack.callback(toxiproxy.close)
        controls = {psp.node.name: psp_control(site, psp) for psp in psps}
        for control in controls.values():
            stack.callback(control.close)
        running = LocalStack(
            setup=setup,
            layout=site.layout,
            parts=site.parts,
            able=able,
            toxiproxy=toxiproxy,
            psps=controls,
            plans=site.plans,
            nodes=site.nodes,
            instruments=site.instruments,
            devices=site.devices,
            limits=site.limits,
            clocks=site.clocks,
            libraries=tuple(sorted({name.split(".")[0] for name in libraries})),
            notes=site.notes,
            isolation=able.isolation,
        )
        running.wait_healthy(setup.topology.nodes, HEALTHY_WITHIN_S, site.pause)
        yield running
