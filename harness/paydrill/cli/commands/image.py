"""paydrill image"""

from __future__ import annotations

import click

from paydrill.cli.output import json_option, print_json, print_lines, progress


@click.command(short_help="Make the images of the docker backend ahead of the first drill.")
@click.argument("which", type=click.Choice(["base", "all"]), default="all")
@click.option("--target", default="reference", show_default=True, help="Whose image, for `all`.")
@json_option
def command(which: str, target: str, as_json: bool) -> int:
    """Make images. `base`: Debian, made anew from its packages; `all`: what is missing for a drill.

    A drill makes what it lacks by itself; this is for machines that are prepared ahead.
    """
    made = _base() if which == "base" else _all(target)
    if as_json:
        print_json(made)
    else:
        print_lines([f"{name} {reference}" for name, reference in made.items()])
    return 0


def _base() -> dict[str, str]:
    from paydrill.backends.docker.base_image import build_base

    return {"base": build_base(progress)}


def _all(word: str) -> dict[str, str]:
    from paydrill import library
    from paydrill.backends.docker import images
    from paydrill.cli.words import load_target_folder

    made = images.obtain(load_target_folder(library.target_folder(word)), progress)
    return {"harness": made.harness, "target": made.target}
