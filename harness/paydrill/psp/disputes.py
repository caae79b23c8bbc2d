"""What the merchant may do about a chargeback: give in. (It is made in `afterwards`, by the provider.)"""

from __future__ import annotations

from dataclasses import dataclass, replace

from paydrill.psp.change import Change
from paydrill.psp.form import Fields, Form
from paydrill.psp.ledger import Ledger
from paydrill.psp.refusals import missing, not_possible
from paydrill.psp.requests import Side
from paydrill.psp.routes import Route
from paydrill.psp.state import Dispute

CLOSE_FIELDS = {"expand"}
NEEDS_RESPONSE = "needs_response"
LOST = "lost"


@dataclass(frozen=True)
class CloseDispute(Side):
    dispute: Dispute
    token: str

    @property
    def about(self) -> tuple[str | None, str | None]:
        return self.dispute.intent, self.token

    def run(self, change: Change) -> Dispute:
        if self.dispute.status != NEEDS_RESPONSE:
            raise not_possible(f"This dispute is already closed: its status is {self.dispute.status}.", None)
        after = replace(self.dispute, status=LOST)
        change.keep(after)
        change.event("charge.dispute.closed", after, self.token)
        return after


def read_close(ledger: Ledger, route: Route, form: Form) -> CloseDispute:
    """Raises Refusal."""
    assert route.wanted is not None
    dispute = ledger.disputes.get(route.wanted)
    if dispute is None:
        raise missing("dispute", route.wanted)
    expand = Fields(form, CLOSE_FIELDS).names("expand")
    return CloseDispute(expand, dispute, ledger.charges[dispute.charge].token)
