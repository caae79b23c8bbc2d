"""paydrill psp"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paydrill.cli.output import json_option, print_json, print_lines, progress

if TYPE_CHECKING:
    from paydrill.psp.options import Options

# As in psp.profiles and psp.options, which cost an import that --help has no use for.
_PROFILES = ("stripe", "stripe_v2", "checkout", "braintree", "square", "strict_key_only", "strict_single_use")
_NAMES = ("psp", "psp2")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(
    invoke_without_command=True, short_help="The PSP simulator alone.", subcommand_metavar="[log | verify]"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=12111, show_default=True, help="0 takes a free one.")
@click.option(
    "--journal", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Its ledger, read first when it exists. Default: a temporary file.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of ids and of everything that is drawn.")
@click.option(
    "--rule", "rules", multiple=True, metavar="TEXT",
    help="How it misbehaves, such as 'commit_then_drop 5%' or 'decline count=1 token=7'; repeatable.",
)  # fmt: skip
@click.option(
    "--behaviour", default="{}", metavar="JSON", help="The same as JSON, such as '{\"decline\": 0.02}'."
)
@click.option(
    "--profile", type=click.Choice(_PROFILES), default="stripe", show_default=True,
    help="How idempotency keys behave.",
)  # fmt: skip
@click.option("--webhook-url", metavar="URL", help="Where events are sent.")
@click.option("--webhook-secret", default="whsec_paydrill", show_default=True, help="Signs them.")
@click.option("--api-key", default="sk_test_paydrill", show_default=True, help="What callers must send.")
@click.option(
    "--name", type=click.Choice(_NAMES), default="psp", show_default=True,
    help="Which one of two providers it is: the second draws anew and gives other ids.",
)  # fmt: skip
@click.option(
    "--control", type=click.Path(dir_okay=False, path_type=Path), metavar="SOCKET",
    help="Path of the control socket (hold, freeze, other behaviours).",
)  # fmt: skip
@json_option
@click.pass_context
def command(context: click.Context, /, as_json: bool, **given: Any) -> int:
    """Serve a PSP that speaks Stripe's wire format, for anybody's tests; Ctrl-C ends it.

    Point an SDK at the base URL that it prints. What it did stands in its journal:

    \b
      paydrill psp --port 12111 --journal psp.jsonl --rule 'commit_then_drop 5%'
      paydrill psp log pm_pd_7 --journal psp.jsonl
      paydrill psp verify psp.jsonl

    docs/psp.md tells the behaviours, the profiles and what is claimed.
    """
    if context.invoked_subcommand is not None:
        return 0
    from paydrill.errors import EnvironmentNotReady
    from paydrill.psp.__main__ import serve

    asked = _options(**given)
    temporary = given["journal"] is None
    try:
        return serve(asked, lambda asked, url: _announce(asked, url, temporary, as_json))
    except OSError as error:
        raise EnvironmentNotReady(
            f"cannot serve on {asked.host}:{asked.port}: {error.strerror or error}; --port 0 takes a free port"
        ) from None


@command.command(short_help="The story of one token.")
@click.argument("token")
@click.option("--journal", type=_FILE, required=True, metavar="FILE", help="Of the simulator.")
@json_option
def log(token: str, journal: Path, as_json: bool) -> int:
    """Tell what was asked, done, answered and told about TOKEN: a harness number or a token of the wire."""
    from paydrill.errors import UsageError
    from paydrill.psp.chain import ChainBroken
    from paydrill.psp.story import story

    try:
        moments = story(journal, token)
    except ChainBroken as error:
        raise UsageError(f"{journal}: {error}; `paydrill psp verify` says more") from None
    if as_json:
        print_json([{"at_s": one.at_s, "what": one.what} for one in moments])
    elif moments:
        print_lines(map(str, moments))
    else:
        raise UsageError(f"{journal} says nothing of {token!r}: expected a token that was sent to it")
    return 0


@command.command(short_help="Is a journal whole, was anybody charged twice?")
@click.argument("file", type=_FILE)
@json_option
def verify(file: Path, as_json: bool) -> int:
    """Check the chain and the money of a journal, and look for double charges.

    A double charge: a harness token (pm_pd_7; not a saved card) whose money more than one PaymentIntent
    keeps, or two that keep the same amount of other cards for the same order (metadata order_id or
    order). Exit code 1 when anything is found.
    """
    from paydrill.psp.verify import verify as verified

    found = verified(file)
    if as_json:
        print_json(
            {
                "lines": found.lines,
                "head": found.head,
                "torn": found.torn,
                "effects": found.effects,
                "problems": found.problems,
                "double_charges": [vars(one) for one in found.double_charges],
            }
        )
    else:
        print_lines((*found.problems, *map(str, found.double_charges)))
        torn = ", a torn last line left out" if found.torn else ""
        progress(
            f"{found.lines} lines{torn}, {found.effects} effects: {_counted(found.problems, 'problem')}, "
            f"{_counted(found.double_charges, 'double charge')}"
        )
    return 1 if found.problems or found.double_charges else 0


def _counted(found: Sequence[object], what: str) -> str:
    return f"{len(found)} {what}{'' if len(found) == 1 else 's'}"


def _options(
    journal: Path | None, profile: str, rules: tuple[str, ...], behaviour: str, **rest: Any
) -> Options:
    """Raises UsageError for a behaviour that is none."""
    import tempfile

    from paydrill.psp import options
    from paydrill.psp.profiles import PROFILES

    asked = options.behaviours_of(rest["seed"], rest["name"], options.settings_of(behaviour), rules)
    if journal is None:
        journal = Path(tempfile.mkdtemp(prefix="paydrill-psp-")) / "journal.jsonl"
    return options.Options(
        host=rest["host"],
        port=rest["port"],
        journal=journal.absolute(),
        control=rest["control"].absolute() if rest["control"] else None,
        seed=rest["seed"],
        behaviours=asked,
        webhook_url=rest["webhook_url"] or None,
        webhook_secret=rest["webhook_secret"],
        api_key=rest["api_key"],
        profile=PROFILES[profile],
        name=rest["name"],
    )


def _announce(asked: Options, url: str, temporary: bool, as_json: bool) -> None:
    facts = {
        "base URL": url,
        "API key": asked.api_key,
        "webhook secret": asked.webhook_secret,
        "journal": str(asked.journal),
    }
    if as_json:  # on one line: whoever reads it cannot wait for the end of the output
        import orjson

        click.echo(orjson.dumps({name.lower().replace(" ", "_"): value for name, value in facts.items()}))
    else:
        print_lines(f"{name:<14}  {value}" for name, value in facts.items())
    sys.stdout.flush()
    if as_json:
        return
    if temporary:
        progress("the journal is a temporary file; give --journal FILE to choose one")
    if asked.webhook_url is None:
        progress("no events are sent; give --webhook-url URL to receive them")
