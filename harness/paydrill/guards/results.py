"""Short names for the two things that a guard can say."""

from __future__ import annotations

from collections.abc import Sequence

from paydrill.verdict import GuardResult


def held(name: str, detail: str) -> GuardResult:
    return GuardResult(name, "pass", detail)


def tripped(name: str, code: str, detail: str) -> GuardResult:
    return GuardResult(name, "inconclusive", detail, code)


def all_of(name: str, code: str, problems: Sequence[str], otherwise: str) -> GuardResult:
    """Trips with all problems in one sentence, or holds."""
    return tripped(name, code, "; ".join(problems)) if problems else held(name, otherwise)
