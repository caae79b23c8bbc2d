"""paydrill clean"""

from __future__ import annotations

from collections.abc import Callable

import click

from paydrill.cli.output import json_option, print_json, print_lines, progress


@click.command(short_help="Remove what dead drills left.")
@json_option
def command(as_json: bool) -> int:
    """Remove processes, mounts, containers, networks and folders of drills whose harness is dead.

    Drills that still run, run folders and the cache are left alone.
    """
    removed = {"local": _swept("local", _sweep_local), "docker": _swept("docker", _sweep_docker)}
    if as_json:
        print_json(removed)
        return 0
    names = [name for one in removed.values() for name in one]
    print_lines(names)
    progress(f"{len(names)} things removed" if names else "nothing was left behind")
    return 0


def _sweep_local() -> list[str]:
    from paydrill.backends.local.journal import sweep_dead_runs

    return sweep_dead_runs()


def _sweep_docker() -> list[str]:
    from paydrill.backends.docker.sweep import sweep

    return sweep()


def _swept(backend: str, sweep: Callable[[], list[str]]) -> list[str]:
    """A backend that cannot run here has left nothing here."""
    from paydrill.errors import EnvironmentNotReady

    try:
        return sweep()
    except EnvironmentNotReady as missing:
        progress(f"{backend}: not looked at: {missing}")
        return []
