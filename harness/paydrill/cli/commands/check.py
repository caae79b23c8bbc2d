"""paydrill check RUN"""

from __future__ import annotations

import click

from paydrill.cli.output import json_option


@click.command(short_help="Judge a stored run again.")
@click.argument("run", metavar="RUN")
@json_option
def command(run: str, as_json: bool) -> int:
    """Judge a stored run again from its folder alone: a path, or a name in reports/ such as `latest`."""
    from paydrill import library
    from paydrill.cli.verdicts import exit_code, print_verdict, print_verdicts_json
    from paydrill.judge import judge, write_outcome

    folder = library.run_folder(run)
    verdict = judge(folder)
    write_outcome(folder, verdict)
    if as_json:
        print_verdicts_json([verdict], several=False)
    else:
        print_verdict(verdict, folder)
    return exit_code([verdict])
