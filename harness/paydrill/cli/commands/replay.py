"""paydrill replay RUN"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from paydrill.cli.output import json_option, print_json, print_lines, progress


@click.command(short_help="Run a stored run's plan again.")
@click.argument("run", metavar="RUN")
@click.option("--times", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, metavar="DIR"
)
@json_option
def command(run: str, times: int, out: Path, as_json: bool) -> int:
    """Run the plan of a stored run N times: same scenario, seed, topology, target, mutant and backend.

    Says how many of N failed again; exit 1 if any did.
    """
    from paydrill import library
    from paydrill.cli import COMMAND_T_NS
    from paydrill.cli.requests import check_out
    from paydrill.cli.stored import request_of
    from paydrill.cli.verdicts import exit_code
    from paydrill.doctor import require_free_space
    from paydrill.drill import run_drills

    request = request_of(library.run_folder(run), ("paydrill", *sys.argv[1:]), COMMAND_T_NS, progress)
    check_out(out)
    require_free_space(out)
    verdicts = run_drills([request] * times, out=out, progress=progress)
    again = sum(verdict.verdict == "fail" for verdict in verdicts)
    if as_json:
        from paydrill.verdict_file import to_json

        print_json(
            {"reproduced": again, "times": times, "verdicts": [to_json(verdict) for verdict in verdicts]}
        )
    else:
        print_lines(f"{verdict.verdict}\t{verdict.run}" for verdict in verdicts)
        print_lines([f"{again} of {times} reproduced"])
    return exit_code(verdicts)
