"""Each behaviour as a target meets it, and the determinism of the draws."""

from __future__ import annotations

import pytest
import stripe

from paydrill.errors import UsageError
from paydrill.psp.behaviours import Behaviours, draw
from paydrill.psp.rules import EXECUTIONS

KEY = {"idempotency_key": "one-key"}


def kinds(simulator) -> list[str]:
    return [row.kind for row in simulator.read().effects]


def test_decline(simulator, run_simulator, charge_of):
    simulator.behaviour = {"decline": 1.0}
    with run_simulator(simulator):
        with pytest.raises(stripe.CardError) as raised:
            simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        assert raised.value.error.decline_code == "generic_decline"
        assert kinds(simulator) == ["decline"]
        assert simulator.read_answered().requests[0].decision == "decline"


def test_decline_leaves_captures_and_refunds_alone(simulator, run_simulator, charge_of):
    with run_simulator(simulator), simulator.control() as psp:
        client = simulator.client()
        held = client.v1.payment_intents.create(charge_of("pm_pd_1", capture_method="manual"))
        psp.behave({"decline": 1.0})
        client.v1.payment_intents.capture(held.id)
        client.v1.refunds.create({"payment_intent": held.id})
        assert kinds(simulator) == ["auth", "capture", "refund"]


def test_commit_then_drop_charges_and_says_nothing_then_replays_success(simulator, run_simulator, charge_of):
    simulator.behaviour = {"commit_then_drop": 1.0}
    with run_simulator(simulator):
        client = simulator.client()
        with pytest.raises(stripe.APIConnectionError):
            client.v1.payment_intents.create(charge_of("pm_pd_1"), KEY)
        assert kinds(simulator) == ["auth", "capture"]
        assert client.v1.payment_intents.create(charge_of("pm_pd_1"), KEY).status == "succeeded"
        assert kinds(simulator) == ["auth", "capture"]
        first, replay = simulator.read_answered().requests
        assert (first.delivered, first.decision) == (False, "commit_then_drop")
        assert (replay.delivered, replay.stopped_by) == (True, "replay")


def test_commit_then_drop_meets_captures_and_refunds_too(simulator, run_simulator, charge_of):
    with run_simulator(simulator), simulator.control() as psp:
        client = simulator.client()
        held = client.v1.payment_intents.create(charge_of("pm_pd_1", capture_method="manual"))
        psp.behave({"commit_then_drop": 1.0})
        with pytest.raises(stripe.APIConnectionError):
            client.v1.payment_intents.capture(held.id)
        with pytest.raises(stripe.APIConnectionError):
            client.v1.refunds.create({"payment_intent": held.id})
        assert kinds(simulator) == ["auth", "capture", "refund"]


def test_commit_then_500_charges_and_keeps_the_500(simulator, run_simulator, charge_of):
    simulator.behaviour = {"commit_then_500": 1.0}
    with run_simulator(simulator):
        client = simulator.client()
        for replayed in (None, "true"):
            with pytest.raises(stripe.APIError) as raised:
                client.v1.payment_intents.create(charge_of("pm_pd_1"), KEY)
            assert raised.value.http_status == 500
            assert raised.value.headers.get("Idempotent-Replayed") == replayed
        assert kinds(simulator) == ["auth", "capture"]
        # Only asking the PSP tells what really happened.
        assert client.v1.payment_intents.list().data[0].status == "succeeded"


def test_slow_commit_takes_place_after_the_caller_gave_up(simulator, run_simulator, charge_of, wait_until):
    simulator.behaviour = {"slow_commit": 1.0, "slow_commit_s": 1.0}
    with run_simulator(simulator), simulator.control() as psp:
        with pytest.raises(stripe.APIConnectionError):
            simulator.client(timeout_s=0.3).v1.payment_intents.create(charge_of("pm_pd_1"), KEY)
        status = psp.status()
        assert (status.slow_commits, status.in_flight, kinds(simulator)) == (1, 0, [])
        with pytest.raises(stripe.APIError) as raised:
            simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"), KEY)
        assert raised.value.error.code == "idempotency_key_in_use"
        wait_until(lambda: kinds(simulator) == ["auth", "capture"], "the slow commit")
        wait_until(lambda: psp.status().pending == 0, "nothing pending")
        assert simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"), KEY).status == "succeeded"
        first = simulator.read_answered().requests[0]
        assert (first.decision, first.delivered) == ("slow_commit", False)


def test_slow_commit_answers_a_patient_caller(simulator, run_simulator, charge_of):
    simulator.behaviour = {"slow_commit": 1.0, "slow_commit_s": 0.2}
    with run_simulator(simulator):
        assert simulator.client().v1.payment_intents.create(charge_of("pm_pd_1")).status == "succeeded"
        row = simulator.read_answered().requests[0]
        assert row.delivered and row.t_ans_ns - row.t_recv_ns >= 200_000_000


def test_a_slow_commit_survives_kill_9(simulator, run_simulator, charge_of, wait_until):
    simulator.behaviour = {"slow_commit": 1.0, "slow_commit_s": 2.0}
    with run_simulator(simulator):
        with pytest.raises(stripe.APIConnectionError):
            simulator.client(timeout_s=0.2).v1.payment_intents.create(charge_of("pm_pd_1"), KEY)
        simulator.kill()
        assert kinds(simulator) == []
        simulator.start()
        with simulator.control() as psp:
            wait_until(lambda: psp.status().pending == 0, "the slow commit after the restart")
        assert kinds(simulator) == ["auth", "capture"]
        assert simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"), KEY).status == "succeeded"


def test_whether_a_payment_is_declined_depends_on_seed_and_token_not_on_arrival(
    tmp_path, simulator, run_simulator, charge_of
):
    """Both orders, with other payments in between and a restart in the middle: the same decisions."""
    simulator.behaviour, simulator.seed = {"decline": 0.5}, 7
    tokens = [f"pm_pd_{n}" for n in range(24)]

    def decisions(folder, order, restart):
        simulator.folder, simulator.port = folder, 0
        found = {}
        with run_simulator(simulator):
            for place, token in enumerate(order):
                if restart and place == len(order) // 2:
                    simulator.kill()
                    simulator.start()
                try:
                    simulator.client().v1.payment_intents.create(charge_of(token))
                    found.setdefault(token, []).append("ok")
                except stripe.CardError:
                    found.setdefault(token, []).append("declined")
        return found

    forwards = decisions(tmp_path / "a", tokens + tokens, restart=False)
    backwards = decisions(tmp_path / "b", tokens[::-1] + tokens[::-1], restart=True)
    assert forwards == backwards
    assert {"ok", "declined"} == {outcome for pair in forwards.values() for outcome in pair}
    assert any(pair[0] != pair[1] for pair in forwards.values()), "the n-th try must draw anew"


def test_draws_are_fixed_for_ever():
    """Changing the hash would change every stored plan's meaning."""
    assert draw(1, "decline", "pm_pd_1", "create", 1) == 0.3715754530933453


def drawn(behaviours: Behaviours, token: str, operation: str = "create", nth: int = 1) -> str | None:
    found = behaviours.execution(token, operation, nth, lambda rule: 0)
    return found.behaviour if found else None


def test_shares_are_met_and_rules_do_not_disturb_each_other():
    alone = Behaviours.of(3, {"commit_then_drop": 0.1})
    together = Behaviours.of(3, {"commit_then_drop": 0.1, "slow_commit": 0.2})
    drawn_alone = {n for n in range(5000) if drawn(alone, f"pm_pd_{n}")}
    all_drawn = [drawn(together, f"pm_pd_{n}") for n in range(5000)]
    assert {n for n in range(5000) if all_drawn[n] == "commit_then_drop"} == drawn_alone
    assert 400 < len(drawn_alone) < 600 and 750 < all_drawn.count("slow_commit") < 1050


@pytest.mark.parametrize("name", EXECUTIONS)
def test_share_nought_is_never_and_share_one_is_always(name):
    assert drawn(Behaviours.of(1, {name: 0.0}), "pm_pd_1") is None
    always = Behaviours.of(1, {name: 1.0})
    assert all(drawn(always, "pm_pd_1", nth=n) == name for n in range(200))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"declines": 0.1}, "unknown PSP behaviour 'declines'"),
        ({"decline": 1.5}, "from 0 to 1"),
        ({"decline": -0.1}, "from 0 to 1"),
        ({"decline": float("nan")}, "expected a number"),
        ({"decline": True}, "expected a number"),
        ({"decline": "much"}, "expected a number"),
    ],
)
def test_bad_behaviours_are_refused_with_their_name(settings, said):
    with pytest.raises(UsageError, match=said):
        Behaviours.of(1, settings)
