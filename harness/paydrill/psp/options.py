"""The command line of `python -m paydrill.psp`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from paydrill.errors import UsageError
from paydrill.psp.behaviours import Behaviours, seed_of
from paydrill.psp.profiles import PROFILES, STRIPE, Profile
from paydrill.psp.rules import with_texts

NAMES = ("psp", "psp2")


@dataclass(frozen=True)
class Options:
    host: str
    port: int
    journal: Path
    control: Path | None
    seed: int
    behaviours: Behaviours
    webhook_url: str | None
    webhook_secret: str
    api_key: str
    profile: Profile
    name: str = NAMES[0]


def read(argv: Sequence[str]) -> Options:
    """Raises UsageError for a behaviour that is none; argparse ends the process (2) for the rest."""
    given = _parser().parse_args(argv)
    return Options(
        host=given.host,
        port=given.port,
        journal=given.journal.absolute(),
        control=given.control.absolute() if given.control else None,
        seed=given.seed,
        behaviours=behaviours_of(given.seed, given.name, settings_of(given.behaviour), given.rule),
        webhook_url=given.webhook_url or None,
        webhook_secret=given.webhook_secret,
        api_key=given.api_key,
        profile=PROFILES[given.profile],
        name=given.name,
    )


def behaviours_of(seed: int, name: str, asked: Mapping[str, object], rules: Sequence[str] = ()) -> Behaviours:
    """Of one simulator: what JSON and `--rule` ask for together. Raises UsageError."""
    return Behaviours.of(seed_of(seed, name), with_texts(asked, rules))


def settings_of(text: str) -> Mapping[str, object]:
    """The JSON of `--behaviour`. Raises UsageError."""
    try:
        settings = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UsageError(
            f'--behaviour: expected JSON such as {{"decline": 0.02}}, got {text!r} ({error})'
        ) from None
    if not isinstance(settings, dict):
        raise UsageError(f"--behaviour: expected a JSON object, got {text!r}")
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m paydrill.psp",
        description="A payment service provider that speaks Stripe's wire format.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=12111, help="of the API; 0 takes a free one and prints it")
    add("--journal", type=Path, required=True, help="the ledger's file; read first when it exists")
    add("--control", type=Path, help="path of the control socket")
    add("--seed", type=int, default=0)
    add("--behaviour", default="{}", help='shares by rule: {"decline": 0.02, "commit_then_drop": 0.05}')
    add("--rule", action="append", default=[], help="one more, such as 'commit_then_drop 5%%'; repeatable")
    add("--webhook-url", help="where events are sent; without it they can only be read")
    add("--webhook-secret", default="whsec_paydrill")
    add("--api-key", default="sk_test_paydrill")
    add("--profile", choices=PROFILES, default=STRIPE.name, help="how idempotency keys behave")
    add("--name", choices=NAMES, default=NAMES[0], help="which one of several providers it is")
    return parser
