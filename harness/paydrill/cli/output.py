"""Printing: data to stdout, progress to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    import orjson

    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str).decode())


def progress(text: str) -> None:
    """One line on stderr."""
    click.echo(text, err=True)


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people; plain lines, tab-separated, where stdout is no terminal."""
    if not sys.stdout.isatty():
        print_lines("\t".join(row) for row in rows)
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def json_option(command: Any) -> Any:
    """`--json`: one JSON document on stdout in place of words."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)
