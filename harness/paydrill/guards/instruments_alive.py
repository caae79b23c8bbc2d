"""The harness's own parts lived: a dead PSP, proxy or load generator judges nobody."""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import RunFacts
from paydrill.guards.results import held, tripped
from paydrill.verdict import GuardResult

NAME = "instruments_alive"


def check(facts: RunFacts) -> GuardResult:
    died = facts.timeline.died
    if not died:
        anew = [
            f"{one.name} was started anew, which cut what went through it ({one.detail})"
            for one in facts.timeline.started_anew
        ]
        return held(NAME, "; ".join(["no instrument ended unplanned", *anew]))
    told = "; ".join(f"{one.name}: {one.detail}" if one.detail else one.name for one in died)
    # Without its watchdog a drill is no longer safe, but what was recorded is still true.
    only_watchdog = all(one.name == "watchdog" for one in died)
    return tripped(NAME, codes.WATCHDOG_DIED if only_watchdog else codes.INSTRUMENT_DIED, told)
