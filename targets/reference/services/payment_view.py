"""A payment as the orders service sees it, and the answers to it."""

from __future__ import annotations

from services.answers import Answer
from services.payment_rows import HOLDS_MONEY, Payment
from services.psp_gate import OVERLOADED
from services.psp_outcomes import ActionRequired, ChargeOutcome, NotExecuted

CHARGED = {**dict.fromkeys(HOLDS_MONEY, 200), "authorised": 200, "declined": 402}
CHARGED |= dict.fromkeys(("failed", "voided", "expired"), 400)
OPERATED = {**dict.fromkeys((*HOLDS_MONEY, "voided"), 200)}
OPERATED |= dict.fromkeys(("authorised", "expired", "failed", "declined"), 409)


def payment_view(payment: Payment) -> dict[str, object]:
    """Never the token."""
    view: dict[str, object] = {
        "id": payment.id,
        "order": payment.order_id,
        "status": payment.state,
        "amount": payment.amount,
        "currency": payment.currency,
        "psp": payment.psp,
    }
    if payment.state == "requires_action":
        view["next_action"] = {"challenge": payment.psp_id}
    return view


def answer_of(payment: Payment | None, of_operation: bool = False) -> Answer:
    """Of a payment that exists."""
    assert payment is not None, "the payment vanished"
    view = payment_view(payment)
    status = (OPERATED if of_operation else CHARGED).get(payment.state, 202)
    if status == 409:
        view["error"] = {"code": "state_conflict", "message": f"the payment is {payment.state}"}
    return Answer.of(status, view)


def settled_answer(payment_id: str, state: str, outcome: ChargeOutcome) -> Answer:
    """Of a charge that was just settled."""
    told: dict[str, object] = {"id": payment_id, "status": state}
    if isinstance(outcome, ActionRequired) and state == "requires_action":
        told["next_action"] = {"challenge": outcome.psp_id}
    if state == "failed" and outcome == NotExecuted(OVERLOADED):
        told["error"] = {"code": OVERLOADED, "message": "nothing was sent; try again later"}
        return Answer.of(503, told)
    return Answer.of(CHARGED.get(state, 202), told)
