"""Each behaviour as a target meets it, and the determinism of the draws."""

from __future__ import annotations

import subprocess

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


def test_drop_before_commit_loses_the_request_and_nothing_happens(simulator, run_simulator, charge_of):
    simulator.behaviour = {"rules": [{"id": "a", "behaviour": "drop_before_commit", "count": 1}]}
    with run_simulator(simulator):
        client = simulator.client()
        with pytest.raises(stripe.APIConnectionError):
            client.v1.payment_intents.create(charge_of("pm_pd_1"), KEY)
        assert kinds(simulator) == [] and client.v1.payment_intents.list().data == []
        paid = client.v1.payment_intents.create(charge_of("pm_pd_1"), KEY)
        assert paid.status == "succeeded" and "Idempotent-Replayed" not in paid.last_response.headers
        lost = simulator.read_answered().requests[0]
        assert (lost.decision, lost.stopped_by, lost.nth, lost.delivered) == (
            "drop_before_commit",
            "drop",
            1,
            False,
        )


def test_partial_capture_takes_a_part_and_releases_the_rest(simulator, run_simulator, charge_of):
    simulator.behaviour = {"partial_capture": 1.0, "partial_capture_part": 0.3}
    with run_simulator(simulator):
        client = simulator.client()
        paid = client.v1.payment_intents.create(charge_of("pm_pd_1", 1005))
        assert (paid.status, paid.amount, paid.amount_received) == ("succeeded", 1005, 301)
        found = [(row.kind, row.amount, row.by_psp) for row in simulator.read().effects]
        assert found == [("auth", 1005, False), ("capture", 301, False), ("release", 704, False)]
        held = client.v1.payment_intents.create(charge_of("pm_pd_2", capture_method="manual"))
        assert client.v1.payment_intents.capture(held.id).amount_received == 1000


def test_maintenance_turns_every_request_away_before_it_is_looked_at(simulator, run_simulator, charge_of):
    with run_simulator(simulator), simulator.control() as psp:
        client = simulator.client()
        psp.behave({"maintenance": 1.0, "maintenance_retry_after_s": 7})
        for call in (
            lambda: client.v1.payment_intents.create(charge_of("pm_pd_1"), KEY),
            lambda: client.v1.payment_intents.list(),
        ):
            with pytest.raises(stripe.APIError) as raised:
                call()
            assert raised.value.http_status == 503 and raised.value.headers["Retry-After"] == "7"
        psp.behave({})
        assert client.v1.payment_intents.create(charge_of("pm_pd_1"), KEY).status == "succeeded"
        assert [row.stopped_by for row in simulator.read_answered().requests] == [
            "maintenance",
            "maintenance",
            None,
        ]


def test_a_share_of_requests_is_rate_limited_and_each_try_draws_anew(simulator, run_simulator, charge_of):
    simulator.behaviour = {"rate_limit": 0.5}
    with run_simulator(simulator):
        client, limited = simulator.client(), 0
        for n in range(20):
            while True:
                try:
                    client.v1.payment_intents.create(charge_of(f"pm_pd_{n}"), {"idempotency_key": f"k{n}"})
                    break
                except stripe.RateLimitError as error:
                    assert (error.http_status, error.error.code) == (429, "rate_limit")
                    limited += 1
        assert limited > 5
        assert kinds(simulator) == ["auth", "capture"] * 20


def test_rate_limit_per_s_lets_so_many_through_and_turns_the_rest_away(simulator, run_simulator, charge_of):
    simulator.behaviour = {"rate_limit_per_s": 0.05}
    with run_simulator(simulator):
        assert simulator.client().v1.payment_intents.create(charge_of("pm_pd_1")).status == "succeeded"
        with pytest.raises(stripe.RateLimitError):
            simulator.client().v1.payment_intents.create(charge_of("pm_pd_2"))


def test_a_rule_meets_one_operation_of_one_token_once(simulator, run_simulator, charge_of):
    simulator.behaviour = {
        "rules": [
            {"id": "a", "behaviour": "commit_then_drop", "token": 2, "operation": "cancel", "count": 1},
            {"id": "b", "behaviour": "commit_then_500", "token": 1, "operation": "refund"},
        ]
    }
    with run_simulator(simulator):
        client = simulator.client()
        first, second = (
            client.v1.payment_intents.create(charge_of(f"pm_pd_{n}", capture_method="manual")) for n in (1, 2)
        )
        client.v1.payment_intents.capture(first.id)
        with pytest.raises(stripe.APIError):
            client.v1.refunds.create({"payment_intent": first.id})
        with pytest.raises(stripe.APIConnectionError):
            client.v1.payment_intents.cancel(second.id)
        assert client.v1.payment_intents.retrieve(second.id).status == "canceled"
        third = client.v1.payment_intents.create(charge_of("pm_pd_2", capture_method="manual"))
        assert client.v1.payment_intents.cancel(third.id).status == "canceled"


def test_a_count_goes_on_after_kill_9(simulator, run_simulator, charge_of):
    simulator.behaviour = {"rules": [{"id": "a", "behaviour": "decline", "count": 2, "after": 1}]}
    with run_simulator(simulator):
        outcomes = []
        for n in range(5):
            if n == 2:
                simulator.kill()
                simulator.start()
            try:
                outcomes.append(simulator.client().v1.payment_intents.create(charge_of(f"pm_pd_{n}")).status)
            except stripe.CardError:
                outcomes.append("declined")
        assert outcomes == ["succeeded", "declined", "declined", "succeeded", "succeeded"]


def test_a_second_provider_has_its_own_name_and_ids(tmp_path, simulator, run_simulator, charge_of):
    found = {}
    for name in ("psp", "psp2"):
        simulator.name, simulator.folder, simulator.port = name, tmp_path / name, 0
        with run_simulator(simulator):
            found[name] = simulator.client().v1.payment_intents.create(charge_of("pm_pd_1")).id
            journal = simulator.read_answered()
            assert [start.name for start in journal.starts] == [name]
            assert {row.psp for row in (*journal.requests, *journal.effects)} == {name}
            simulator.kill()
    assert found["psp"] != found["psp2"]
    simulator.name = "psp"
    done = subprocess.run(simulator.argv(), capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "was written with name psp2, not psp" in done.stderr


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


@pytest.mark.parametrize(
    ("behaviour", "method", "wanted"),
    [
        ("async_pending", "automatic", ("capture", "done", False)),
        ("auth_expire", "manual", ("expire", "done", True)),
        ("late_risk_decline", "manual", ("release", "done", True)),
        ("late_risk_decline", "automatic", ("refund", "done", True)),
        ("chargeback", "automatic", ("chargeback", "done", True)),
    ],
)
def test_what_a_behaviour_lets_come_later_comes(
    simulator, run_simulator, charge_of, wait_until, behaviour, method, wanted
):
    simulator.behaviour = {"rules": [{"id": "a", "behaviour": behaviour, "token": 1, "seconds": 0.3}]}
    with run_simulator(simulator), simulator.control() as psp:
        for token in ("pm_pd_1", "pm_pd_2"):
            simulator.client().v1.payment_intents.create(charge_of(token, capture_method=method))

        def ended() -> bool:
            found = [(row.kind, row.status, row.by_psp) for row in simulator.read().effects if row.token == 1]
            return found[-1] == wanted

        wait_until(ended, f"the {wanted[0]}")
        kinds_of_other = [row.kind for row in simulator.read().effects if row.token == 2]
        assert kinds_of_other == (["auth"] if method == "manual" else ["auth", "capture"])
        wait_until(lambda: psp.status().in_flight == 0, "nothing in flight")
