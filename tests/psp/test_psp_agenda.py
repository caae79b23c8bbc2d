"""What the provider will do by itself survives crashes, stops while frozen, and happens once."""

from __future__ import annotations

from paydrill.psp.verify import verify


def states(simulator) -> list[str]:
    return [intent.status for intent in simulator.client().v1.payment_intents.list({"limit": 100}).data]


def test_it_survives_kill_9_and_happens_once(simulator, run_simulator, charge_of, wait_until):
    simulator.behaviour = {"async_s": 2.0, "refund_pending_s": 2.0, "auth_life_s": 2.0}
    with run_simulator(simulator):
        sdk = simulator.client()
        for n in range(5):
            sdk.v1.payment_intents.create(charge_of(f"pm_pd_{n}_async"))
        held = sdk.v1.payment_intents.create(charge_of("pm_pd_8", capture_method="manual"))
        paid = sdk.v1.payment_intents.create(charge_of("pm_pd_9_refundpending"))
        sdk.v1.refunds.create({"payment_intent": paid.id})
        simulator.kill()
        simulator.start()
        with simulator.control() as psp:
            assert psp.status().later == 7
            wait_until(lambda: psp.status().later == 0, "nothing to come any more")
        simulator.kill()
        simulator.start()
        with simulator.control() as psp:
            assert psp.status().pending == 0
        assert sorted(states(simulator)) == ["canceled"] + ["succeeded"] * 6
        kinds = [row.kind for row in simulator.read().effects if row.status == "done"]
        assert (kinds.count("capture"), kinds.count("refund"), kinds.count("expire")) == (6, 1, 1)
        assert simulator.client().v1.payment_intents.retrieve(held.id).amount_capturable == 0


def test_what_was_due_while_it_was_dead_happens_at_the_start(simulator, run_simulator, charge_of, wait_until):
    simulator.behaviour = {"async_s": 0.05}
    with run_simulator(simulator):
        with simulator.control() as psp:
            psp.behave({"async_s": 0.2})
            simulator.client().v1.payment_intents.create(charge_of("pm_pd_1_async"))
        simulator.kill()
        simulator.start()
        wait_until(lambda: states(simulator) == ["succeeded"], "it has settled")


def test_nothing_of_it_happens_while_frozen_not_even_after_a_restart(
    simulator, run_simulator, charge_of, wait_until
):
    simulator.behaviour = {"async_s": 0.3}
    with run_simulator(simulator):
        simulator.client().v1.payment_intents.create(charge_of("pm_pd_1_async"))
        with simulator.control() as psp:
            frozen = psp.freeze()
            assert psp.drain(5).drained
        simulator.kill()
        simulator.start()
        with simulator.control() as psp:
            # Three times as long as it would have taken: a bound on what must not happen.
            wait_until(lambda: psp.status().t_ns > frozen.t_ns + 900_000_000, "time has passed")
            assert states(simulator) == ["processing"]
            assert (psp.status().later, psp.status().in_flight) == (1, 0)
            psp.resume()
            wait_until(lambda: states(simulator) == ["succeeded"], "it has settled after the freeze")


def test_it_waits_for_a_held_request_on_the_same_intent(
    simulator, run_simulator, charge_of, in_background, wait_until
):
    simulator.behaviour = {"auth_life_s": 0.4}
    with run_simulator(simulator), simulator.control() as psp:
        sdk = simulator.client()
        held = sdk.v1.payment_intents.create(charge_of("pm_pd_1", capture_method="manual"))
        hold = psp.arm(action="capture", point="before_commit").hold
        capture = in_background([lambda: simulator.client().v1.payment_intents.capture(held.id)])
        strike = psp.wait_held(20)
        assert strike is not None
        wait_until(lambda: psp.status().t_ns > strike.t_ns + 800_000_000, "the hold's life is over")
        assert states(simulator) == ["requires_capture"]
        psp.release(hold)
        assert capture.results()[0].status == "succeeded"
        assert psp.status().later == 0


def test_webhooks_tell_of_it(simulator, run_simulator, charge_of, wait_until):
    simulator.behaviour = {"async_s": 0.2}
    simulator.webhook_url = "http://127.0.0.1:9/"
    with run_simulator(simulator):
        simulator.client().v1.payment_intents.create(charge_of("pm_pd_1_async"))
        wait_until(
            lambda: any(row.type == "payment_intent.succeeded" for row in simulator.read().webhooks),
            "a try to tell it",
        )


def test_a_schedule_without_its_operation_is_nothing(simulator, run_simulator, charge_of):
    """Killed between the line of what is to come and the line of its cause."""
    with run_simulator(simulator):
        simulator.client().v1.payment_intents.create(charge_of("pm_pd_1_async"), {"idempotency_key": "k"})
    lines = simulator.journal.read_bytes().splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if b'"kind":"later"' in line)
    assert b'"kind":"effect"' in lines[place + 1]
    simulator.journal.write_bytes(b"".join(lines[: place + 1]))
    with run_simulator(simulator):
        with simulator.control() as psp:
            assert psp.status().later == 0
        assert states(simulator) == []
        again = simulator.client().v1.payment_intents.create(
            charge_of("pm_pd_1_async"), {"idempotency_key": "k"}
        )
        assert again.status == "processing"
    assert verify(simulator.journal).problems == ()
