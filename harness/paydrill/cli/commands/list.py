"""paydrill list KIND"""

from __future__ import annotations

import click

from paydrill.cli.output import json_option, print_json, print_rows

KINDS = ("scenarios", "suites", "faults", "invariants", "topologies", "mutants", "targets")


@click.command(short_help="Scenarios, faults, invariants, topologies, mutants, targets.")
@click.argument("kind", metavar="|".join(KINDS))
@click.option(
    "--target", metavar="NAME", default="reference", show_default=True, help="Whose topologies and mutants."
)
@json_option
def command(kind: str, target: str, as_json: bool) -> int:
    """List what there is, a line each."""
    from paydrill.cli.catalogue import COLUMNS, rows_of
    from paydrill.errors import UsageError
    from paydrill.yaml_fields import nearest, one_of

    word = kind if kind in KINDS else f"{kind}s"
    if word not in KINDS:
        near = nearest(kind, KINDS)
        hint = f" (did you mean {near}?)" if near else f": expected {one_of(KINDS)}"
        raise UsageError(f"nothing is listed as {kind!r}{hint}")
    rows = rows_of(word, target)
    if as_json:
        print_json([row.as_json() for row in rows])
    else:
        columns = COLUMNS.get(word, ("name", "what"))
        print_rows(columns, [(row.name, *row.cells, row.about) for row in rows])
    return 0
