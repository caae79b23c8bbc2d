"""paydrill show NAME"""

from __future__ import annotations

import click

from paydrill.cli.output import json_option, print_json, print_lines


@click.command(short_help="What something is and does, in words; nothing starts.")
@click.argument("name", metavar="NAME")
@click.option(
    "--target", metavar="NAME", default="reference", show_default=True, help="Whose topologies and mutants."
)
@json_option
def command(name: str, target: str, as_json: bool) -> int:
    """Tell in words what a scenario (also a file), topology, target, fault, invariant or mutant is and does."""
    from paydrill.cli.shown import shown_of

    shown = shown_of(name, target)
    if as_json:
        print_json({"kind": shown.kind, "name": shown.name, **shown.facts})
    else:
        print_lines(shown.lines)
    return 0
