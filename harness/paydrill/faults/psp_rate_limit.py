"""psp_rate_limit: the PSP says that it is asked too often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Effect
from paydrill.faults.psp_fault import PspFault, PspName, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import RATE_LIMIT, Rule

TOO_MANY = 429
USUAL_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class PspRateLimit(PspFault):
    """Requests, reads too, are answered 429 `rate_limit` before they are looked at.

    With `limit_per_s` all that come above that rate, in order of arrival; else a share of all (0.5 unless
    it is given), drawn anew for every try. No money moves and no key is kept; who asks again at once is
    turned away again, and makes it worse.
    """

    name: ClassVar[str] = "psp_rate_limit"
    summary: ClassVar[str] = "the PSP answers 429 to those who ask too often"
    effect: ClassVar[Effect] = "availability"
    example: ClassVar[Mapping[str, object]] = {"limit_per_s": 5}
    undo: ClassVar[str] = "the rule is taken away"
    proven_by: ClassVar[str] = "requests turned away with 429"

    share: float | None = None
    limit_per_s: float | None = None
    psp: PspName | None = None

    def __post_init__(self) -> None:
        if self.share is not None and self.limit_per_s is not None:
            raise ValueError("give share or limit_per_s, not both: a rate limit hits by lot or by rate")
        if self.share is not None:
            check_share("share", self.share)
        if self.limit_per_s is not None and not self.limit_per_s >= 0.1:
            raise ValueError(f"limit_per_s must be at least 0.1, got {self.limit_per_s:g}")

    def rules(self, name: str) -> tuple[Rule, ...]:
        if self.limit_per_s is not None:
            return (Rule(name, RATE_LIMIT, per_s=self.limit_per_s),)
        return (Rule(name, RATE_LIMIT, USUAL_SHARE if self.share is None else self.share),)

    def proofs(self, met: Met) -> int:
        return sum(one.status == TOO_MANY and not one.by_request for one in met.requests)


FAULT = PspRateLimit
