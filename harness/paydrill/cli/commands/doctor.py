"""paydrill doctor"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from paydrill.cli.output import json_option, print_json, print_lines
from paydrill.doctor import Check, can_run, checks


@click.command(short_help="What this machine can run, and what installs the rest.")
@json_option
def command(as_json: bool) -> int:
    """Look at this machine: each line says ok or missing, and the command that mends it.

    Exit 0 when at least one backend can run, else 4.
    """
    found = checks()
    runs = {"local": can_run("local", found), "docker": can_run("docker", found)}
    if as_json:
        print_json({"backends": runs, "checks": [{**asdict(one), "status": _word(one)} for one in found]})
    else:
        print_lines(_lines(found))
        print_lines(f"{backend} backend: {'can run' if ok else 'cannot run'}" for backend, ok in runs.items())
    return 0 if any(runs.values()) else 4


def _lines(found: Sequence[Check]) -> list[str]:
    lines: list[str] = []
    section = ""
    for one in found:
        if one.section != section:
            section = one.section
            lines.append(section)
        optional = " (optional)" if one.need == "optional" and not one.ok else ""
        lines.append(f"  {_word(one):8}{one.name}{optional}: {one.detail}")
        if not one.ok and one.install:
            lines.append(f"          {one.install}")
    return lines


def _word(check: Check) -> str:
    return "ok" if check.ok else "missing"
