"""paydrill clean"""

from __future__ import annotations

import importlib

import click

from paydrill.cli.output import json_option, print_json, print_lines, progress

BACKENDS = ("local", "docker")


@click.command(short_help="Remove what dead drills left.")
@json_option
def command(as_json: bool) -> int:
    """Remove processes, mounts, containers, networks and folders of drills whose harness is dead.

    Drills that still run, run folders and the cache are left alone.
    """
    removed = {backend: _swept(backend) for backend in BACKENDS}
    if as_json:
        print_json(removed)
        return 0
    names = [name for one in removed.values() for name in one]
    print_lines(names)
    progress(f"{len(names)} things removed" if names else "nothing was left behind")
    return 0


def _swept(backend: str) -> list[str]:
    """A backend that cannot run here has left nothing here."""
    from paydrill.errors import EnvironmentNotReady

    try:
        module = importlib.import_module(f"paydrill.backends.{backend}.sweep")
        return [str(name) for name in module.sweep()]
    except EnvironmentNotReady as missing:
        progress(f"{backend}: not looked at: {missing}")
        return []
