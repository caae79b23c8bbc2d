"""Guards: was this drill able to prove anything? One file each.

A guard is a pure function over `RunFacts`. One that trips makes the drill inconclusive, with a reason
code: a drill whose load never ran has no double charge either.

To add one: write `guards/<name>.py` with a `NAME` and a function `check(facts) -> GuardResult`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.verdict import GuardResult


@dataclass(frozen=True)
class Guard:
    name: str
    check: Callable[[RunFacts], GuardResult]


def known() -> list[Guard]:
    """Every guard, by name, found by looking at the files of this folder."""
    import importlib
    import pkgutil

    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    found = [Guard(module.NAME, module.check) for module in modules if hasattr(module, "NAME")]
    return sorted(found, key=lambda guard: guard.name)


def run_guards(facts: RunFacts) -> tuple[GuardResult, ...]:
    """What every guard says; one that crashes is itself inconclusive."""
    return tuple(_checked(guard, facts) for guard in known())


def _checked(guard: Guard, facts: RunFacts) -> GuardResult:
    try:
        return guard.check(facts)
    except Exception as error:
        # A guard that cannot be judged must never read as a guard that held.
        detail = f"the guard crashed: {type(error).__name__}: {error}"
        return GuardResult(guard.name, "inconclusive", detail, codes.CHECKER_CRASHED)
