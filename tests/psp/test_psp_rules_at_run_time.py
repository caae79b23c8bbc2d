"""Rules that a drill puts in force and takes away while the simulator runs, and what they have met."""

from __future__ import annotations

import pytest
import stripe

from paydrill.errors import UsageError
from paydrill.psp.rules import Rule

REFUSED = (stripe.APIConnectionError, stripe.APIError, stripe.CardError, stripe.RateLimitError)


@pytest.fixture(scope="module")
def running_one(shared):
    with shared.control() as control:
        yield control


@pytest.fixture
def psp(running_one):
    """The control of a simulator without any rule, before and after."""
    yield running_one
    for rule in running_one.rules():
        running_one.remove_rule(rule)


def charged(sdk, charge_of, token, **more):
    """The intent, or what was raised."""
    try:
        return sdk.v1.payment_intents.create(charge_of(token, **more))
    except REFUSED as error:
        return error


def answered(psp, wait_until, rule, count=1):
    """What it has met, once so many are answered: an answer's line is written after it was sent."""

    def done():
        found = psp.met(rule)
        return found if sum(one.t_answer is not None for one in found.requests) >= count else None

    return wait_until(done, f"{count} answered requests of {rule}")


def test_a_rule_is_added_and_taken_away_as_often_as_one_likes(psp, sdk, charge_of, token):
    rule = Rule("fault 1", "decline")
    assert psp.add_rule(rule) == psp.add_rule(rule) == psp.rules() == ("fault 1",)
    assert isinstance(charged(sdk, charge_of, token), stripe.CardError)
    assert psp.remove_rule("fault 1") == psp.remove_rule("fault 1") == psp.rules() == ()
    assert charged(sdk, charge_of, token).status == "succeeded"
    assert psp.met("fault 1").drawn == 1


def test_two_rules_overlap_and_taking_one_away_leaves_the_other(psp, sdk, charge_of, token):
    psp.add_rule(Rule("fault 1", "decline", token=token))
    psp.add_rule(Rule("fault 2", "commit_then_500"))
    assert isinstance(charged(sdk, charge_of, token), stripe.CardError)
    psp.remove_rule("fault 1")
    assert charged(sdk, charge_of, token).http_status == 500
    assert (psp.met("fault 1").drawn, psp.met("fault 2").drawn) == (1, 1)


def test_the_plans_own_behaviour_is_left_as_it_was(simulator, run_simulator, charge_of):
    simulator.behaviour = {"decline": 1.0, "dispute_s": 9.0}
    with run_simulator(simulator), simulator.control() as psp:
        sdk = simulator.client()
        psp.add_rule(Rule("fault 1", "commit_then_500"))
        assert charged(sdk, charge_of, "pm_pd_1").http_status == 500
        psp.remove_rule("fault 1")
        assert isinstance(charged(sdk, charge_of, "pm_pd_1"), stripe.CardError)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule("fault 1", "explode"), "unknown behaviour"),
        (Rule("decline", "decline"), "a behaviour's name"),
        (Rule("", "decline"), "needs an id"),
        (Rule("fault 9", "decline", per_s=3.0), "per_s is for rate_limit only"),
        (Rule("fault 9", "decline", copies=3), "copies is for webhook_duplicate only"),
        (Rule("fault 9", "webhook_duplicate", copies=21), "from 1 to 20"),
        (Rule("fault 9", "lookup_lag", 0.5, seconds=1), "takes seconds only"),
        (Rule("fault 9", "lookup_lag", operation="capture"), "takes no operation"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_and_changes_nothing(psp, rule, said):
    with pytest.raises(UsageError, match=said):
        psp.add_rule(rule)
    assert psp.rules() == ()


def test_another_rule_under_an_id_that_is_in_force_is_refused(psp):
    psp.add_rule(Rule("fault 1", "decline"))
    with pytest.raises(UsageError, match="another rule"):
        psp.add_rule(Rule("fault 1", "commit_then_500"))


def test_a_lost_answer_is_met_with_its_effects_and_without_its_answer(psp, sdk, charge_of, token, wait_until):
    psp.add_rule(Rule("fault 2", "commit_then_drop"))
    assert isinstance(charged(sdk, charge_of, token), stripe.APIConnectionError)
    (met,) = answered(psp, wait_until, "fault 2").requests
    assert (met.operation, met.decision, met.by_request) == (
        "create",
        "commit_then_drop",
        ("auth", "capture"),
    )
    assert met.delivered is False and met.t_recv < met.t_effect < met.t_answer


def test_what_the_psp_does_later_is_met_too(psp, sdk, charge_of, token, wait_until):
    psp.add_rule(Rule("fault 3", "late_risk_decline", seconds=0.05))
    charged(sdk, charge_of, token)
    psp.remove_rule("fault 3")
    wait_until(lambda: psp.met("fault 3").requests[0].by_itself == ("refund",), "the reversal")


def test_an_asynchronous_failure_is_begun_and_declined_later(psp, sdk, charge_of, token, wait_until):
    psp.add_rule(Rule("fault 4", "async_fail", seconds=0.05))
    intent = charged(sdk, charge_of, token)
    assert intent.status == "processing"
    wait_until(lambda: psp.met("fault 4").requests[0].by_itself, "the decision")
    (met,) = psp.met("fault 4").requests
    assert (met.by_request, met.by_itself) == (("capture pending",), ("capture failed", "decline"))
    assert sdk.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"


def test_an_unavailable_psp_answers_500_and_does_nothing(psp, sdk, charge_of, token, wait_until):
    psp.add_rule(Rule("fault 5", "unavailable", operation="create"))
    key = {"idempotency_key": f"key-of-{token}"}
    with pytest.raises(stripe.APIError) as caught:
        sdk.v1.payment_intents.create(charge_of(token), key)
    assert caught.value.http_status == 500
    (met,) = answered(psp, wait_until, "fault 5").requests
    assert (met.status, met.stopped_by, met.by_request) == (500, "unavailable", ())
    psp.remove_rule("fault 5")
    assert sdk.v1.payment_intents.create(charge_of(token), key).status == "succeeded"


def test_a_slow_answer_comes_late_whatever_it_says_and_the_money_moves_at_once(
    psp, sdk, charge_of, token, wait_until
):
    psp.add_rule(Rule("fault 6", "slow_answer", seconds=0.6))
    psp.add_rule(Rule("fault 7", "decline"))
    assert isinstance(charged(sdk, charge_of, token), stripe.CardError)
    (slow,), (declined,) = answered(psp, wait_until, "fault 6").requests, psp.met("fault 7").requests
    assert slow.req == declined.req and (slow.decision, declined.decision) == (None, "decline")
    assert slow.answered_after_s >= 0.3 and slow.done_after_s < 0.3


def test_lists_and_searches_do_not_see_what_is_new_and_reading_by_id_does(
    psp, sdk, charge_of, token, wait_until
):
    old = charged(sdk, charge_of, token)
    wait_until(lambda: psp.status().later == psp.status().expiring, "nothing of earlier tests is to come")
    psp.add_rule(Rule("fault 8", "lookup_lag", seconds=3600.0))
    new = charged(sdk, charge_of, token)
    assert sdk.v1.payment_intents.retrieve(new.id).id == new.id
    assert sdk.v1.payment_intents.list().data == []
    assert sdk.v1.payment_intents.search({"query": "status:'succeeded'"}).data == []
    assert psp.met("fault 8").drawn == 2
    psp.remove_rule("fault 8")
    assert [one.id for one in sdk.v1.payment_intents.list({"limit": 2})] == [new.id, old.id]


def test_a_lookup_that_misses_nothing_does_not_meet_the_rule(simulator, run_simulator):
    with run_simulator(simulator), simulator.control() as psp:
        psp.add_rule(Rule("fault 1", "lookup_lag", seconds=60.0))
        assert simulator.client().v1.payment_intents.list().data == []
        assert psp.met("fault 1").drawn == 0


def test_a_rate_limit_of_a_rule_lets_so_many_a_second_pass(psp, sdk, charge_of, token, wait_until):
    psp.add_rule(Rule("fault 9", "rate_limit", per_s=3.0))
    outcomes = [charged(sdk, charge_of, token) for _ in range(12)]
    refused = [one for one in outcomes if isinstance(one, stripe.RateLimitError)]
    assert 3 <= len(outcomes) - len(refused) < 12
    found = answered(psp, wait_until, "fault 9", len(refused)).requests
    assert [(one.status, one.by_request) for one in found] == [(429, ())] * len(refused)


def test_the_same_rule_meets_the_same_payments_in_any_order(tmp_path, helpers, charge_of):
    def hit(tokens, folder):
        simulator = helpers.Simulator(tmp_path / folder)
        with helpers.running(simulator), simulator.control() as psp:
            psp.add_rule(Rule("fault 1", "decline", 0.5))
            sdk = simulator.client()
            return {token for token in tokens if not hasattr(charged(sdk, charge_of, token), "id")}

    tokens = [f"pm_pd_{n}" for n in range(20)]
    first = hit(tokens, "forwards")
    assert first == hit(tokens[::-1], "backwards") and 3 < len(first) < 17


def test_a_rule_that_comes_into_force_again_begins_anew(psp, sdk, charge_of, token):
    for _ in range(2):
        psp.add_rule(Rule("fault 1", "decline"))
        charged(sdk, charge_of, token)
        assert psp.met("fault 1").drawn == 1
        psp.remove_rule("fault 1")


def test_a_killed_simulator_still_knows_what_a_rule_has_met(simulator, run_simulator, charge_of, wait_until):
    with run_simulator(simulator):
        with simulator.control() as psp:
            psp.add_rule(Rule("fault 1", "commit_then_500"))
            charged(simulator.client(), charge_of, "pm_pd_1")
            before = answered(psp, wait_until, "fault 1")
        simulator.kill()
        simulator.start()
        with simulator.control() as psp:
            assert psp.rules() == () and psp.met("fault 1") == before
