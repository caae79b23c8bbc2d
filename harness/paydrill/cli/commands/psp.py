"""paydrill psp"""

from __future__ import annotations

import os
import sys

import click


@click.command(
    short_help="The PSP simulator alone.",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Serve the PSP simulator for anybody's tests; `paydrill psp --help` tells its options."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "paydrill.psp", *arguments])
