"""What a token's suffix says of its card: challenges, methods that settle later, refunds that do not hold."""

from __future__ import annotations

import urllib.error
import urllib.request

import orjson
import pytest
import stripe

from paydrill.psp import tokens
from paydrill.psp.verify import verify

SOON = {
    "async_s": 0.3,
    "refund_pending_s": 0.3,
    "refund_fail_s": 0.3,
    "late_decline_s": 0.3,
    "dispute_s": 0.3,
}


@pytest.fixture
def soon(simulator, run_simulator):
    """A simulator whose later effects come soon."""
    simulator.behaviour = SOON
    with run_simulator(simulator):
        yield simulator


@pytest.fixture
def in_a_while(simulator, run_simulator):
    """A simulator whose later effects leave time for a few calls before them."""
    simulator.behaviour = dict.fromkeys(SOON, 2.5)
    with run_simulator(simulator):
        yield simulator


def browser(simulator, pi: str, body: object) -> tuple[int, dict]:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    request = urllib.request.Request(
        f"{simulator.url}/challenge/{pi}", data=data, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, orjson.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, orjson.loads(error.read())


def effects(simulator, pi: str) -> list[tuple[str, str, int]]:
    return [(row.kind, row.status, row.amount) for row in simulator.read().effects if row.pi == pi]


def told(sdk, pi: str) -> list[str]:
    """Types of the events of one intent, oldest first."""
    found = [
        event.type
        for event in sdk.v1.events.list({"limit": 100}).auto_paging_iter()
        if pi in (getattr(event.data.object, name, None) for name in ("id", "payment_intent"))
    ]
    return found[::-1]


def quiet(simulator, wait_until) -> None:
    with simulator.control() as psp:
        wait_until(lambda: psp.status().later == 0, "nothing to come any more")


# -- tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "number"),
    [
        ("pm_pd_7", 7),
        ("pm_pd_7_async", 7),
        ("pm_pd_12_insufficient_funds", 12),
        ("pm_pd_7_nonsense", None),
        ("pm_pd_7_", None),
        ("pm_pd__async", None),
        ("pm_pd_7_expires", None),
        ("pm_pd_1234567890123456789", None),
        ("pm_card_visa", None),
        ("xpm_pd_7", None),
        ("pm_pd_7\n", None),
    ],
)
def test_a_harness_token_has_a_number_and_a_known_suffix(token, number):
    assert tokens.harness_number(token) == number
    assert tokens.known(token) == (number is not None or token in tokens.ALIASES)


def test_every_way_of_the_vocabulary_has_a_card():
    for how in (*tokens.HOWS, *tokens.DECLINE_HOWS):
        card = tokens.card(f"pm_pd_3_{how}")
        assert card is not None and (card.decline is None) == (how in tokens.HOWS)


@pytest.mark.parametrize(
    ("how", "code", "decline_code"),
    [
        ("declined", "card_declined", "generic_decline"),
        ("insufficient_funds", "card_declined", "insufficient_funds"),
        ("lost_card", "card_declined", "lost_card"),
        ("expired_card", "expired_card", None),
        ("incorrect_cvc", "incorrect_cvc", None),
        ("processing_error", "processing_error", None),
    ],
)
def test_a_token_that_declines_does_so_each_time_and_keeps_its_number(
    sdk, shared, token, charge_of, how, code, decline_code
):
    for _ in range(2):
        with pytest.raises(stripe.CardError) as raised:
            sdk.v1.payment_intents.create(charge_of(f"{token}_{how}"))
        assert (raised.value.code, raised.value.error.decline_code) == (code, decline_code)
    rows = [row.kind for row in shared.read().effects if row.token == int(token[6:])]
    assert rows == ["decline", "decline"]


def test_a_test_card_becomes_a_payment_method_of_its_own(sdk, charge_of):
    first, second = (sdk.v1.payment_intents.create(charge_of("pm_card_mastercard")) for _ in range(2))
    assert first.payment_method != second.payment_method
    method = sdk.v1.payment_methods.retrieve(first.payment_method)
    assert (method.card.brand, method.card.last4, method.customer) == ("mastercard", "4444", None)


# -- challenge -------------------------------------------------------------------------------------


def test_a_challenge_that_is_approved_charges_once(sdk, shared, token, charge_of):
    asked = sdk.v1.payment_intents.create(charge_of(f"{token}_challenge"))
    assert asked.status == "requires_action" and asked.latest_charge is None
    url = asked.next_action.redirect_to_url.url
    assert url == f"{shared.url}/challenge/{asked.id}" and asked.next_action.type == "redirect_to_url"
    assert effects(shared, asked.id) == []
    for outcome in ("approve", "approve", "refuse"):
        assert browser(shared, asked.id, {"outcome": outcome}) == (200, {"status": "succeeded"})
    assert effects(shared, asked.id) == [("auth", "done", 1000), ("capture", "done", 1000)]
    done = sdk.v1.payment_intents.retrieve(asked.id, {"expand": ["latest_charge"]})
    assert (done.status, done.next_action, done.payment_method) == ("succeeded", None, f"{token}_challenge")
    assert done.latest_charge.payment_method_details.card.three_d_secure.result == "authenticated"
    assert told(sdk, asked.id) == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
    row = next(row for row in shared.read_answered().requests if (row.pi, row.op) == (asked.id, "challenge"))
    assert (row.money, row.token, row.status) == (False, int(token[6:]), 200)


def test_a_challenge_that_is_refused_declines_and_the_intent_takes_another_card(
    sdk, shared, token, charge_of
):
    asked = sdk.v1.payment_intents.create(charge_of(f"{token}_challenge", capture_method="manual"))
    refused = (200, {"status": "requires_payment_method"})
    assert [browser(shared, asked.id, {"outcome": "refuse"}) for _ in range(2)] == [refused, refused]
    intent = sdk.v1.payment_intents.retrieve(asked.id)
    error = intent.last_payment_error
    assert (error.type, error.code) == ("invalid_request_error", "payment_intent_authentication_failure")
    assert (intent.payment_method, intent.latest_charge) == (None, None)
    assert effects(shared, asked.id) == [("decline", "done", 1000)]
    paid = sdk.v1.payment_intents.confirm(asked.id, {"payment_method": token})
    assert paid.status == "requires_capture"
    # The challenge of before stays what it was.
    assert browser(shared, asked.id, {"outcome": "approve"}) == refused


def test_a_manual_charge_is_held_after_its_challenge(sdk, shared, token, charge_of):
    asked = sdk.v1.payment_intents.create(charge_of(f"{token}_challenge", capture_method="manual"))
    assert browser(shared, asked.id, {"outcome": "approve"})[1] == {"status": "requires_capture"}
    assert sdk.v1.payment_intents.capture(asked.id).amount_received == 1000


def test_challenges_that_nobody_waits_for(sdk, shared, token, charge_of):
    approve = {"outcome": "approve"}
    canceled = sdk.v1.payment_intents.create(charge_of(f"{token}_challenge"))
    sdk.v1.payment_intents.cancel(canceled.id)
    paid = sdk.v1.payment_intents.create(charge_of(token))
    assert browser(shared, canceled.id, approve)[0] == 409
    assert browser(shared, paid.id, approve)[0] == 409
    assert browser(shared, "pi_none", approve)[0] == 404
    waiting = sdk.v1.payment_intents.create(charge_of(f"{token}_challenge"))
    for body in (
        b"approve",
        [],
        {"outcome": "perhaps"},
        {},
        {"outcome": 1},
        {"outcome": "approve", "x": "y"},
    ):
        assert browser(shared, waiting.id, body)[0] == 400
    assert sdk.v1.payment_intents.retrieve(waiting.id).status == "requires_action"


def test_without_its_customer_a_card_with_a_challenge_is_declined(sdk, shared, token, charge_of):
    for absent in ({"off_session": True}, {"off_session": "recurring"}, {"error_on_requires_action": True}):
        with pytest.raises(stripe.CardError) as raised:
            sdk.v1.payment_intents.create(charge_of(f"{token}_challenge", **absent))
        assert raised.value.code == "authentication_required"
        assert raised.value.error.payment_intent.status == "requires_payment_method"


def test_confirming_again_asks_for_a_new_challenge(sdk, shared, token, charge_of):
    asked = sdk.v1.payment_intents.create(charge_of(f"{token}_challenge", return_url="https://shop.test/a"))
    assert asked.next_action.redirect_to_url.return_url == "https://shop.test/a"
    assert sdk.v1.payment_intents.confirm(asked.id).status == "requires_action"
    assert sdk.v1.payment_intents.update(asked.id, {"amount": 900}).status == "requires_confirmation"
    assert browser(shared, asked.id, {"outcome": "approve"})[0] == 409
    assert sdk.v1.payment_intents.confirm(asked.id, {"payment_method": token}).amount_received == 900


def test_a_card_may_be_declined_after_its_challenge(sdk, shared, charge_of):
    asked = sdk.v1.payment_intents.create(charge_of("pm_card_threeDSecureRequiredChargeDeclined"))
    assert browser(shared, asked.id, {"outcome": "approve"}) == (200, {"status": "requires_payment_method"})
    assert effects(shared, asked.id) == [("decline", "done", 1000)]


# -- later -----------------------------------------------------------------------------------------


def test_an_asynchronous_method_is_processing_and_then_paid(in_a_while, charge_of, wait_until):
    sdk = in_a_while.client()
    begun = sdk.v1.payment_intents.create(charge_of("pm_pd_1_async", expand=["latest_charge"]))
    assert (begun.status, begun.amount_received) == ("processing", 0)
    assert (begun.latest_charge.status, begun.latest_charge.paid) == ("pending", False)
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sdk.v1.payment_intents.cancel(begun.id)
    assert raised.value.code == "payment_intent_unexpected_state"
    assert effects(in_a_while, begun.id) == [("capture", "pending", 1000)]
    quiet(in_a_while, wait_until)
    paid = sdk.v1.payment_intents.retrieve(begun.id, {"expand": ["latest_charge"]})
    assert (paid.status, paid.amount_received, paid.latest_charge.status) == ("succeeded", 1000, "succeeded")
    assert effects(in_a_while, begun.id)[1:] == [("auth", "done", 1000), ("capture", "done", 1000)]
    assert told(sdk, begun.id)[1:] == [
        "charge.pending",
        "payment_intent.processing",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
    last = sdk.v1.events.list({"type": "payment_intent.succeeded"}).data[0]
    assert (last.request.id, last.request.idempotency_key) == (None, None)


def test_an_asynchronous_method_may_fail(soon, charge_of, wait_until):
    sdk = soon.client()
    begun = sdk.v1.payment_intents.create(charge_of("pm_pd_1_asyncfail"))
    quiet(soon, wait_until)
    failed = sdk.v1.payment_intents.retrieve(begun.id)
    assert (failed.status, failed.last_payment_error.code) == ("requires_payment_method", "card_declined")
    assert effects(soon, begun.id) == [
        ("capture", "pending", 1000),
        ("capture", "failed", 1000),
        ("decline", "done", 1000),
    ]
    assert sdk.v1.payment_intents.confirm(begun.id, {"payment_method": "pm_pd_2"}).status == "succeeded"


def test_a_pending_refund_takes_its_time(soon, charge_of, wait_until):
    sdk = soon.client()
    paid = sdk.v1.payment_intents.create(charge_of("pm_pd_1_refundpending"))
    refund = sdk.v1.refunds.create({"payment_intent": paid.id, "amount": 400})
    assert refund.status == "pending"
    assert sdk.v1.charges.retrieve(paid.latest_charge).amount_refunded == 400
    with pytest.raises(stripe.InvalidRequestError):
        sdk.v1.refunds.create({"payment_intent": paid.id, "amount": 601})
    quiet(soon, wait_until)
    assert sdk.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert effects(soon, paid.id)[2:] == [("refund", "pending", 400), ("refund", "done", 400)]


def test_a_refund_that_fails_later_is_the_merchants_money_again(soon, charge_of, wait_until):
    sdk = soon.client()
    paid = sdk.v1.payment_intents.create(charge_of("pm_pd_1_refundfail"))
    refund = sdk.v1.refunds.create({"payment_intent": paid.id})
    assert refund.status == "succeeded"
    quiet(soon, wait_until)
    failed = sdk.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert sdk.v1.charges.retrieve(paid.latest_charge).amount_refunded == 0
    # The journal says done and failed; as evidence it never gave anything back.
    assert effects(soon, paid.id)[2:] == [("refund", "pending", 1000), ("refund", "failed", 1000)]
    assert [row.by_psp for row in soon.read().effects] == [False] * 4
    assert told(sdk, paid.id)[-2:] == ["refund.failed", "charge.refund.updated"]


def test_risk_takes_a_charge_back_or_releases_its_hold(in_a_while, charge_of, wait_until):
    sdk = in_a_while.client()
    paid = sdk.v1.payment_intents.create(charge_of("pm_pd_1_latedecline"))
    sdk.v1.refunds.create({"payment_intent": paid.id, "amount": 300})
    held = sdk.v1.payment_intents.create(charge_of("pm_pd_2_latedecline", capture_method="manual"))
    quiet(in_a_while, wait_until)
    refunds = sdk.v1.refunds.list({"payment_intent": paid.id}).data
    assert [(one.amount, one.reason) for one in refunds] == [(700, "fraudulent"), (300, None)]
    released = sdk.v1.payment_intents.retrieve(held.id)
    assert (released.status, released.amount_capturable) == ("canceled", 0)
    by_psp = [(row.pi, row.kind, row.amount) for row in in_a_while.read().effects if row.by_psp]
    assert by_psp == [(paid.id, "refund", 700), (held.id, "release", 1000)]


def test_a_chargeback_takes_what_was_kept_and_ends_refunds(in_a_while, charge_of, wait_until):
    sdk = in_a_while.client()
    held = sdk.v1.payment_intents.create(charge_of("pm_pd_1_disputed", capture_method="manual"))
    sdk.v1.payment_intents.capture(held.id, {"amount_to_capture": 800})
    sdk.v1.refunds.create({"payment_intent": held.id, "amount": 100})
    quiet(in_a_while, wait_until)
    dispute = sdk.v1.disputes.list({"charge": held.latest_charge}).data[0]
    assert (dispute.amount, dispute.status, dispute.payment_intent) == (700, "needs_response", held.id)
    charge = sdk.v1.charges.retrieve(held.latest_charge)
    assert (charge.disputed, charge.amount_refunded) == (True, 100)
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sdk.v1.refunds.create({"payment_intent": held.id})
    assert raised.value.code == "charge_disputed"
    last = in_a_while.read().effects[-1]
    assert (last.kind, last.by_psp, last.status, last.amount, last.token) == (
        "chargeback",
        True,
        "done",
        700,
        1,
    )
    assert sdk.v1.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        sdk.v1.disputes.close(dispute.id)


def test_a_charge_that_was_given_back_whole_is_not_charged_back(in_a_while, charge_of):
    sdk = in_a_while.client()
    paid = sdk.v1.payment_intents.create(charge_of("pm_pd_1_disputed"))
    sdk.v1.refunds.create({"payment_intent": paid.id})
    with in_a_while.control() as psp:
        assert psp.status().later == 0
    assert sdk.v1.disputes.list().data == []


def test_a_hold_expires_unless_it_was_captured(simulator, run_simulator, charge_of, wait_until):
    simulator.behaviour = {"auth_life_s": 0.4}
    with run_simulator(simulator), simulator.control() as psp:
        sdk = simulator.client()
        held = sdk.v1.payment_intents.create(charge_of("pm_pd_1", capture_method="manual"))
        wait_until(lambda: psp.status().later == 0, "the hold has expired")
        expired = sdk.v1.payment_intents.retrieve(held.id)
        assert (expired.status, expired.cancellation_reason) == ("canceled", "expired")
        assert effects(simulator, held.id) == [("auth", "done", 1000), ("expire", "done", 1000)]
        assert told(sdk, held.id)[-2:] == ["charge.expired", "payment_intent.canceled"]
        with pytest.raises(stripe.InvalidRequestError):
            sdk.v1.payment_intents.capture(held.id)
        # A captured or canceled hold has nothing to come.
        psp.behave({"auth_life_s": 3600})
        for end in (sdk.v1.payment_intents.capture, sdk.v1.payment_intents.cancel):
            held = sdk.v1.payment_intents.create(charge_of("pm_pd_2", capture_method="manual"))
            # Nobody waits for the end of a hold.
            assert (psp.status().later, psp.status().pending) == (1, 0)
            end(held.id)
            assert psp.status().later == 0


# -- several captures ------------------------------------------------------------------------------


def test_a_capture_that_is_not_final_keeps_the_rest_held(sdk, shared, token, charge_of):
    held = sdk.v1.payment_intents.create(charge_of(token, 1000, capture_method="manual"))
    part = {"amount_to_capture": 300, "final_capture": False}
    first = sdk.v1.payment_intents.capture(held.id, part)
    assert (first.status, first.amount_received, first.amount_capturable) == ("requires_capture", 300, 700)
    second = sdk.v1.payment_intents.capture(held.id, part)
    assert (second.amount_received, second.amount_capturable) == (600, 400)
    assert sdk.v1.refunds.create({"payment_intent": held.id, "amount": 600}).status == "succeeded"
    last = sdk.v1.payment_intents.capture(held.id, {"amount_to_capture": 100})
    assert (last.status, last.amount_received, last.amount_capturable) == ("succeeded", 700, 0)
    assert effects(shared, held.id) == [
        ("auth", "done", 1000),
        ("capture", "done", 300),
        ("capture", "done", 300),
        ("refund", "done", 600),
        ("capture", "done", 100),
        ("release", "done", 300),
    ]


def test_what_was_captured_in_part_can_be_ended_without_more(sdk, shared, token, charge_of):
    held = sdk.v1.payment_intents.create(charge_of(token, 1000, capture_method="manual"))
    with pytest.raises(stripe.InvalidRequestError):
        sdk.v1.payment_intents.capture(held.id, {"amount_to_capture": 0})
    sdk.v1.payment_intents.capture(held.id, {"amount_to_capture": 300, "final_capture": False})
    done = sdk.v1.payment_intents.capture(held.id, {"amount_to_capture": 0, "final_capture": True})
    assert (done.status, done.amount_received) == ("succeeded", 300)
    assert effects(shared, held.id)[1:] == [("capture", "done", 300), ("release", "done", 700)]


def test_everything_that_happens_later_leaves_the_books_in_order(in_a_while, charge_of, wait_until):
    sdk = in_a_while.client()
    for how in (*tokens.HOWS, ""):
        for method in ("automatic", "manual"):
            token = f"pm_pd_5_{how}" if how else "pm_pd_5"
            paid = sdk.v1.payment_intents.create(charge_of(token, capture_method=method))
            if paid.status == "requires_capture":
                sdk.v1.payment_intents.capture(paid.id, {"amount_to_capture": 600})
            if paid.status in ("requires_capture", "succeeded"):
                sdk.v1.refunds.create({"payment_intent": paid.id, "amount": 50})
    with in_a_while.control() as psp:
        # The manual asynchronous one is held in the end, for half a minute.
        wait_until(lambda: psp.status().later == 1, "all but one hold")
    assert verify(in_a_while.journal).problems == ()
