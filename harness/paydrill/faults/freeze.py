"""freeze: an operator stops all movement of money, as is done when charges look wrong."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.errors import FaultNotApplied
from paydrill.faults import (
    Carries,
    Effect,
    Expects,
    Family,
    Hits,
    InForce,
    Looks,
    Scene,
    Witness,
    WitnessKind,
)
from paydrill.faults.operator_request import PAUSE_S, Asked
from paydrill.target import Answered, Operators, Request, Target
from paydrill.topology import Topology

WITHIN_S = 3.0
LOOK_WITHIN_S = 1.8
DONE = (200, 201, 202, 204)


@dataclass(frozen=True)
class Frozen:
    """`probe` is a request that would move money."""

    probe: Asked
    frozen: Answered
    acknowledged_s: float

    def witness(self) -> Witness:
        """Asked until the answer is the declared one, for an overloaded node may say something else first."""
        began, seen = time.monotonic(), "nothing"
        while True:
            try:
                said = self.probe.once(LOOK_WITHIN_S)
                seen = str(said)
                fits = said.fits(self.frozen)
            except (OSError, http.client.HTTPException) as problem:
                seen, fits = repr(problem), False
            if fits or time.monotonic() - began > LOOK_WITHIN_S:
                break
            time.sleep(PAUSE_S)
        told = f"{self.probe.method} {self.probe.path} was answered {seen}"
        return Witness("answer", fits, told, {"acknowledged_s": round(self.acknowledged_s, 3)})


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """The requests `freeze` and `unfreeze` of the target's `operators` (targets.md), with an admin's bearer.

    Whatever would move money is refused meanwhile; what the PSP had been asked before goes on.
    """

    name: ClassVar[str] = "freeze"
    summary: ClassVar[str] = "an operator freezes payments, refunds and captures, and lets them go on"
    family: ClassVar[Family] = "operator"
    hits: ClassVar[Hits] = "target"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker")
    needs: ClassVar[tuple[str, ...]] = ()
    witnessed_by: ClassVar[WitnessKind] = "answer"
    looks: ClassVar[Looks] = "at once"
    undo: ClassVar[str] = "the operator unfreezes, and a request that would move money is no longer refused"
    example: ClassVar[Mapping[str, object]] = {}

    def places(self, topology: Topology) -> tuple[str, ...]:
        return (topology.entrance().name,)

    def check(self, target: Target, topology: Topology) -> None:
        """Raises ValueError where the target does not say how it is frozen."""
        if target.operators is None:
            raise ValueError(
                f"{target.name} has no `operators` in its target.yaml: nobody knows how it is frozen"
            )

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack, operators = scene.stack, _operators(scene.stack.setup.target)
        probe = Asked.of(stack, _request(operators.moves_money))
        if probe.until_answered(None, WITHIN_S).fits(operators.frozen):
            raise FaultNotApplied("it is frozen already, by somebody else")
        began = time.monotonic()
        try:
            Asked.of(stack, _request(operators.freeze)).until_answered(DONE, WITHIN_S)
            yield Frozen(probe, operators.frozen, time.monotonic() - began)
        finally:
            Asked.of(stack, _request(operators.unfreeze)).until_answered(DONE, WITHIN_S)
            _wait_until_thawed(Asked.of(stack, _request(operators.moves_money)), operators.frozen)


def _operators(target: Target) -> Operators:
    if target.operators is None:
        raise FaultNotApplied(f"{target.name} does not say how it is frozen")
    return target.operators


def _request(request: Request | None) -> Request:
    if request is None:
        raise FaultNotApplied("one of the requests of `operators` is missing")
    return request


def _wait_until_thawed(probe: Asked, frozen: Answered) -> None:
    """Every node reads the switch anew. Raises FaultNotApplied when it is still refused."""
    give_up = time.monotonic() + 1.0
    while (said := probe.until_answered(None, WITHIN_S)).fits(frozen):
        if time.monotonic() > give_up:
            raise FaultNotApplied(f"unfrozen, and {probe.method} {probe.path} is still answered {said}")
        time.sleep(PAUSE_S)


FAULT = Freeze
