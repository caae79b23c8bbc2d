"""The `paydrill` command: its commands by name, each imported only when it is used."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

import click

# Command -> its line in --help. The file `commands/<name>.py` holds it as `command`.
COMMANDS = {
    "run": "Run drills and judge them.",
    "list": "Scenarios, faults, invariants, topologies, mutants, targets.",
    "show": "What something is and does, in words; nothing starts.",
    "check": "Judge a stored run again.",
    "report": "Write a stored run's reports again.",
    "diff": "How two runs differ.",
    "explain": "The story of one broken order, event by event.",
    "replay": "Run a stored run's plan again.",
    "doctor": "What this machine can run, and what installs the rest.",
    "clean": "Remove what dead drills left.",
    "image": "Make the images of the docker backend ahead of the first drill.",
    "psp": "The PSP simulator alone.",
}


class LazyGroup(click.Group):
    """Knows its commands by name only, until one is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"paydrill.cli.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" (did you mean {near[0]}?)" if near else f": expected one of {', '.join(COMMANDS)}"
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table above, so that --help imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from paydrill import __version__

        click.echo(f"paydrill {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def paydrill(**options: Any) -> None:
    """Fault drills for payment systems.

    Starts a payment stack, loads it, breaks it on purpose, heals it, and proves from independent
    evidence whether a customer was charged twice or an order was lost.

    Exit codes: 0 pass, 1 failed, 2 wrong usage, 3 inconclusive, 4 environment not ready.
    """
