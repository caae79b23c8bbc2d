"""psp_auth_expiry: money that was held for the merchant is let go early."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Expects
from paydrill.faults.psp_fault import PspFault, PspName, check_seconds, check_share
from paydrill.psp.met import Met
from paydrill.psp.rules import AUTH_EXPIRE, Rule

LONGEST_S = 60.0


@dataclass(frozen=True, kw_only=True)
class PspAuthExpiry(PspFault):
    """A hold that is placed now expires after `expires_after_s` instead of its usual life.

    The hold is released and the payment canceled by the PSP; a capture that comes later is refused (400).
    Nothing is taken from the customer. It meets only payments that hold money first and capture later, so
    it cannot be seen where nobody pays like that. It lasts longer than its seconds for it to be seen.
    """

    name: ClassVar[str] = "psp_auth_expiry"
    summary: ClassVar[str] = "held money is let go before it is captured"
    expects: ClassVar[Expects] = "most"
    example: ClassVar[Mapping[str, object]] = {"share": 1.0, "expires_after_s": 1.0}
    undo: ClassVar[str] = "the rule is taken away; what was held under it still expires"
    proven_by: ClassVar[str] = "holds that expired"

    share: float = 1.0
    expires_after_s: float = 1.0
    psp: PspName | None = None

    def __post_init__(self) -> None:
        check_share("share", self.share)
        check_seconds("expires_after_s", self.expires_after_s, LONGEST_S)

    def rules(self, name: str) -> tuple[Rule, ...]:
        return (Rule(name, AUTH_EXPIRE, self.share, seconds=self.expires_after_s),)

    def proofs(self, met: Met) -> int:
        return sum("expire" in one.by_itself for one in met.requests)


FAULT = PspAuthExpiry
