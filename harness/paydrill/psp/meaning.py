"""What a behaviour means to the machine, in the words of a card's own suffix (pure).

`pm_pd_7_async` and the behaviour `async_pending` are the same thing to it. This is the one place where
the two vocabularies meet; behaviours that are not named here live at the desk.
"""

from __future__ import annotations

from collections.abc import Mapping

from paydrill.psp import rules
from paydrill.psp.behaviours import Decision
from paydrill.psp.how import AS_USUAL, DECLINED, PARTIAL, How

WORDS: Mapping[str, str] = {
    rules.DECLINE: DECLINED,
    rules.PARTIAL_CAPTURE: PARTIAL,
    rules.ASYNC_PENDING: "async",
    rules.ASYNC_FAIL: "asyncfail",
    rules.AUTH_EXPIRE: "expires",
    rules.LATE_RISK_DECLINE: "latedecline",
    rules.CHARGEBACK: "disputed",
}


def how_of(decision: Decision, part: float) -> How:
    """What the machine is told of a decision; `part` is what a partial capture takes."""
    word = WORDS.get(decision.behaviour)
    return How(word, decision.seconds, part) if word is not None else AS_USUAL
