"""paydrill report RUN"""

from __future__ import annotations

import click

from paydrill.cli.output import json_option, print_json, print_lines


@click.command(short_help="Write a stored run's reports again.")
@click.argument("run", metavar="RUN")
@click.option("--open", "open_it", is_flag=True, help="Open the report in a browser.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@json_option
def command(run: str, open_it: bool, lang: str, as_json: bool) -> int:
    """Write report.html, junit.xml and summary.md of a judged run again, and say where they are."""
    from paydrill import library
    from paydrill.report.model import build_report
    from paydrill.report.outputs import render_files
    from paydrill.verdict_file import read_verdict, write_atomic

    if lang != "en":
        raise click.UsageError("reports are written in English so far: leave --lang out")
    folder = library.run_folder(run)
    texts = render_files(build_report(folder, read_verdict(folder)))
    for name, text in texts.items():
        write_atomic(folder.path / name, text.encode("utf-8", "replace"))
    files = {name: str(folder.path / name) for name in texts}
    if as_json:
        print_json(files)
    else:
        print_lines(files.values())
    if open_it:
        click.launch(files["report.html"])
    return 0
