"""The faults of the PSP without a stack: what they ask of the simulator, what they take as proof, what they hit."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydrill import faults
from paydrill.errors import FaultNotApplied
from paydrill.faults import Scene
from paydrill.psp.behaviours import Behaviours
from paydrill.psp.met import Met, MetEvent, MetRequest
from paydrill.psp.rules import rule_of
from paydrill.topology import Edge, Node, Topology, UnknownPlace

NAMES = sorted(name for name, fault in faults.known().items() if fault.hits == "psp")
S = 1_000_000_000

REQUEST = MetRequest(1, "create", None, None, t_recv=10 * S, status=200, delivered=True, t_answer=10 * S)
CHARGED = replace(REQUEST, by_request=("auth", "capture"), t_effect=10 * S)
HELD = replace(REQUEST, by_request=("auth",), t_effect=10 * S)
BEGUN = replace(REQUEST, by_request=("capture pending",), t_effect=10 * S)
EVENT = MetEvent("evt_1", "charge.succeeded", 2, t_made=10 * S, t_sent=10 * S, t_ack=10 * S)

# What proves a fault, and what it has met that proves nothing: the same without the effect.
PROOF = {
    "psp_response_lost": (replace(CHARGED, delivered=False), [CHARGED, replace(REQUEST, delivered=False)]),
    "psp_error_after_commit": (replace(CHARGED, status=500), [CHARGED, replace(REQUEST, status=500)]),
    "psp_slow_commit": (replace(CHARGED, t_effect=13 * S), [CHARGED, replace(REQUEST, t_answer=13 * S)]),
    "psp_decline_rate": (replace(REQUEST, by_request=("decline",), status=402), [CHARGED, REQUEST]),
    "psp_maintenance": (replace(REQUEST, status=503), [REQUEST, CHARGED, replace(CHARGED, status=503)]),
    "psp_rate_limit": (replace(REQUEST, status=429), [REQUEST, CHARGED]),
    "psp_lookup_lag": (replace(REQUEST, decision="lookup_lag"), [REQUEST]),
    "psp_late_decline": (replace(CHARGED, by_itself=("refund",)), [CHARGED, HELD]),
    "psp_auth_expiry": (replace(HELD, by_itself=("expire",)), [HELD, replace(HELD, by_itself=("release",))]),
    "psp_async": (replace(BEGUN, by_itself=("auth", "capture")), [BEGUN, CHARGED]),
    "webhook_duplicate": (replace(EVENT, copies=1), [EVENT]),
    "webhook_reorder": (replace(EVENT, overtaken=True), [EVENT]),
    "webhook_delay": (replace(EVENT, t_sent=12 * S), [EVENT, replace(EVENT, t_sent=None)]),
    "webhook_drop": (replace(EVENT, dropped=True, t_sent=None), [EVENT, replace(EVENT, t_sent=None)]),
    "webhook_before_response": (replace(EVENT, before_answer=True), [EVENT]),
}
SLOW = replace(CHARGED, t_answer=11 * S)
FAILED = replace(REQUEST, decision="unavailable", stopped_by="unavailable", status=500)


def met(*hits: MetRequest | MetEvent) -> Met:
    return Met(
        len(hits),
        tuple(hit for hit in hits if isinstance(hit, MetRequest)),
        tuple(hit for hit in hits if isinstance(hit, MetEvent)),
    )


class Control:
    """A simulator's control that has met what it was told to have met."""

    def __init__(self, *hits: Met, obeys: bool = True) -> None:
        self.in_force = ["of the plan"]
        self.hits = list(hits)
        self.obeys = obeys

    def add_rule(self, rule):
        self.in_force += [rule.id] if self.obeys else []

    def remove_rule(self, rule):
        self.in_force = [one for one in self.in_force if one != rule]

    def rules(self):
        return tuple(self.in_force)

    def met(self, rule):
        place = [one for one in self.in_force if one.startswith("fault ")].index(rule)
        return self.hits[place] if place < len(self.hits) else Met()


def shop(*psps: str) -> Topology:
    names = [("client", "client", 0), ("payments-1", "payments", 1), ("worker-1", "worker", 1)]
    edges = [("client", "payments-1")]
    for psp in psps:
        names.append((psp, psp, 0))
        edges += [("payments-1", psp), ("worker-1", psp), ("client", psp), (psp, "payments-1")]
    return Topology("shop", "shop", tuple(Node(*one) for one in names), tuple(Edge(*one) for one in edges))


def scene(number: int = 3, **controls: Control) -> Scene:
    stack = SimpleNamespace(psps=controls, topology=shop(*controls))
    return Scene(stack, SimpleNamespace(), 7, number)


def made(name: str, **fields: object) -> faults.Fault:
    return faults.known()[name](**{**faults.known()[name].example, **fields})


def seen(name: str, *hits: Met) -> bool:
    with made(name).inject(scene(psp=Control(*hits))) as in_force:
        return in_force.witness().witnessed


def test_every_fault_of_the_psp_has_its_proof():
    assert {*PROOF, "psp_brownout"} == set(NAMES)


@pytest.mark.parametrize("name", PROOF)
def test_a_fault_is_witnessed_by_what_became_of_what_it_met_and_by_nothing_else(name):
    proof, others = PROOF[name]
    assert seen(name, met(proof, *others))
    assert not seen(name, met(*others))
    assert not seen(name, Met(drawn=9))


def test_a_brownout_is_slow_and_fails():
    assert seen("psp_brownout", met(SLOW), met(FAILED))
    assert not seen("psp_brownout", met(SLOW), met())
    assert not seen("psp_brownout", met(CHARGED), met(FAILED))
    assert not seen("psp_brownout", met(SLOW), met(replace(FAILED, by_request=("capture",))))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_in_force_besides_stays_whatever_is_healed_first(name):
    control = Control()
    first, second = made(name), made("psp_decline_rate" if name != "psp_decline_rate" else "psp_async")
    healing = ExitStack()
    healing.enter_context(first.inject(scene(1, psp=control)))
    with second.inject(scene(2, psp=control)):
        both = set(control.in_force)
        healing.close()
        assert len(both) > len(control.in_force) > 1
        assert all(rule == "of the plan" or rule.startswith("fault 2 ") for rule in control.in_force)
    assert control.in_force == ["of the plan"]


@pytest.mark.parametrize("name", NAMES)
def test_a_psp_that_does_not_take_the_rule_is_noticed_and_left_as_it_was(name):
    control = Control(obeys=False)
    with pytest.raises(FaultNotApplied, match="does not have it"), made(name).inject(scene(psp=control)):
        pass
    assert control.in_force == ["of the plan"]


def test_a_psp_that_keeps_a_rule_is_noticed():
    control = Control()
    control.remove_rule = lambda rule: None
    with (
        pytest.raises(FaultNotApplied, match="still has it"),
        made("webhook_drop").inject(scene(psp=control)),
    ):
        pass


@pytest.mark.parametrize("name", NAMES)
def test_one_of_two_psps_can_be_meant(name):
    two = shop("psp", "psp2")
    told = faults.known()[name].family == "webhook"
    edges = {psp: {f"{psp}->payments-1"} if told else {f"payments-1->{psp}", f"worker-1->{psp}"}
             for psp in ("psp", "psp2")}  # fmt: skip
    assert set(made(name).places(two)) == edges["psp"] | edges["psp2"]
    assert set(made(name, psp="psp2").places(two)) == edges["psp2"]
    with pytest.raises(UnknownPlace):
        made(name, psp="psp2").places(shop("psp"))
    one, other = Control(), Control()
    with made(name, psp="psp2").inject(scene(psp=one, psp2=other)):
        assert len(other.in_force) > len(one.in_force) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_simulator_takes_what_a_fault_asks_for(name):
    rules = made(name).rules("fault 1 x")
    assert [rule_of(rule.as_json()) for rule in rules] == list(rules)


@given(share=st.floats(0.05, 1), failing=st.floats(0, 1))
def test_the_charges_that_settle_and_those_that_fail_are_the_share_together(share, failing):
    fault = made("psp_async", share=share, failing_share=failing)
    behaviours = Behaviours.of(5, {"rules": [rule.as_json() for rule in fault.rules("fault 1")]})
    drawn = [behaviours.execution(f"pm_pd_{n}", "create", 1, lambda rule: 0) for n in range(400)]
    hit = [one.behaviour for one in drawn if one is not None]
    assert abs(len(hit) / 400 - share) < 0.12
    assert abs(hit.count("async_fail") / 400 - share * failing) < 0.12


REFUSED = {
    "psp_response_lost": [{"share": 0.0}],
    "psp_slow_commit": [{"commit_after_s": 0.0}, {"commit_after_s": 61.0}],
    "psp_brownout": [{"failing_share": 0.0}, {"slow_share": 0.0}, {"answer_s": 11.0}],
    "psp_maintenance": [{"retry_after_s": 0}],
    "psp_rate_limit": [{"share": 0.5}, {"limit_per_s": 0.0}],
    "psp_async": [{"failing_share": 1.1}, {"settle_after_s": 0.0}],
    "webhook_duplicate": [{"copies": 0}, {"copies": 21}],
    "webhook_delay": [{"delay_s": 0.0}],
    "webhook_reorder": [{"within_s": 0.0}],
}


@pytest.mark.parametrize(("name", "fields"), [(name, one) for name, all_ in REFUSED.items() for one in all_])
def test_what_could_not_be_seen_or_makes_no_sense_is_refused_at_once(name, fields):
    with pytest.raises(ValueError, match=r"must be|is 1 to|not both"):
        made(name, **fields)
