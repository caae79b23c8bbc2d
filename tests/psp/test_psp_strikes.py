"""Hold and strike as the conductor does it: an armed event, the answer held, and gone once it strikes."""

from __future__ import annotations

import threading
import time

from paydrill.events import OnEvent
from paydrill.events.known import KINDS
from paydrill.watch.holds import Strike, hold_for


def armed(simulator, condition: OnEvent) -> tuple[Strike, threading.Event]:
    kind, held = KINDS[condition.event], threading.Event()
    assert kind.hold is not None
    strike = hold_for({"psp": simulator.control()}, kind.hold, condition)
    strike.await_held(held.set)
    return strike, held


def test_the_answer_waits_for_the_strike(simulator, run_simulator, charge_of, in_background):
    with run_simulator(simulator):
        strike, held = armed(simulator, OnEvent("psp.captured", 2))
        client = simulator.client()
        client.v1.payment_intents.create(charge_of("pm_pd_1"))
        running = in_background([lambda: client.v1.payment_intents.create(charge_of("pm_pd_2"))])
        assert held.wait(10)
        told_ns = time.monotonic_ns()
        assert strike.held is not None and strike.held.token == 2
        assert told_ns - strike.held_at_ns < 2_000_000_000
        assert [row.t_ans_ns for row in simulator.read().requests][-1] is None
        strike.release()
        assert strike.in_time
        assert running.results()[0].status == "succeeded"
        assert strike.facts()["operation"] == "create"


def test_a_request_is_held_before_anything_of_it_is_done(simulator, run_simulator, charge_of, in_background):
    with run_simulator(simulator):
        strike, held = armed(simulator, OnEvent("psp.received", 1, {"operation": "create"}))
        running = in_background([lambda: simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"))])
        assert held.wait(10)
        assert simulator.read().effects == ()
        strike.release()
        assert running.results()[0].status == "succeeded"


def test_giving_up_lets_go_of_what_is_held(simulator, run_simulator, charge_of, in_background, wait_until):
    with run_simulator(simulator), simulator.control() as control:
        strike, held = armed(simulator, OnEvent("psp.committed"))
        running = in_background([lambda: simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"))])
        assert held.wait(10)
        strike.close()
        assert running.results()[0].status == "succeeded"
        wait_until(lambda: control.status().held == 0, "nothing held")


def test_giving_up_before_anything_came_disarms(simulator, run_simulator, wait_until):
    with run_simulator(simulator), simulator.control() as control:
        strike, held = armed(simulator, OnEvent("psp.refunded"))
        assert control.status().armed == 1
        strike.close()
        wait_until(lambda: control.status().armed == 0, "nothing armed")
        assert not held.is_set()
