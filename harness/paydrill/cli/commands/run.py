"""paydrill run SCENARIO…"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from paydrill.cli.output import json_option, progress

MAX_SEED = 2**31 - 1


@click.command(short_help="Run drills and judge them.")
@click.argument("scenarios", metavar="SCENARIO...", nargs=-1, required=True)
@click.option("--target", metavar="NAME", help="A target by name or folder.  [default: reference]")
@click.option("--topology", metavar="NAME", help="One of the target's topologies.")
@click.option(
    "--backend", type=click.Choice(["auto", "docker", "local", "attached"]), default="auto", show_default=True
)
@click.option("--mutant", metavar="NAME|FILE", help="A seeded bug: M01, or any patch file.")
@click.option("--seed", type=click.IntRange(0, MAX_SEED), default=1, show_default=True, metavar="N")
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=1,
    metavar="N",
    help="N drills, with the seeds from --seed on.",
)
@click.option("--control", is_flag=True, help="Run the plan without its faults first.")
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change the scenario: load.rate=80/s"
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    metavar="DIR",
    help="Where run folders go.",
)
@click.option(
    "--i-own-this-target",
    "owned",
    metavar="NAME",
    help="Attached targets: break what is at a public address; NAME is the target's.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done; start nothing.")
@click.option("--allow-not-run", is_flag=True, help="A drill that this machine cannot run is no exit 3.")
@json_option
def command(
    scenarios: tuple[str, ...],
    target: str | None,
    topology: str | None,
    backend: str,
    mutant: str | None,
    seed: int,
    repeat: int,
    control: bool,
    overrides: tuple[str, ...],
    out: Path,
    owned: str | None,
    dry_run: bool,
    allow_not_run: bool,
    as_json: bool,
) -> int:
    """Run drills: start a stack, load it, break it, heal it, judge it.

    SCENARIO is a name from `paydrill list scenarios` or a file. Mistakes in files are all told at
    once, and then nothing has been started.
    """
    from paydrill.cli import COMMAND_T_NS
    from paydrill.cli.requests import Asked, check_out, requests_of

    asked = Asked(
        scenarios=scenarios,
        target=target,
        topology=topology,
        backend=backend,  # type: ignore[arg-type]  # click has checked it
        mutant=mutant,
        seed=seed,
        repeat=repeat,
        control=control,
        overrides=overrides,
        owned=owned,
        argv=("paydrill", *sys.argv[1:]),
        command_t_ns=COMMAND_T_NS,
    )
    requests = requests_of(asked)
    check_out(out)
    if dry_run:
        from paydrill.cli.dry_run import print_plans

        print_plans(requests, as_json=as_json)
        return 0
    from paydrill.cli.verdicts import exit_code, print_verdicts, print_verdicts_json
    from paydrill.doctor import require_free_space
    from paydrill.drill import run_drills

    require_free_space(out)
    verdicts = run_drills(requests, out=out, progress=progress)
    if as_json:
        print_verdicts_json(verdicts, several=len(requests) > 1)
    else:
        print_verdicts(verdicts, out)
    return exit_code(verdicts, allow_not_run=allow_not_run)
