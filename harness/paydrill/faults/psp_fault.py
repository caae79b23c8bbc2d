"""What the faults of the PSP share: rules put in force at run time, and looking at what they have met.

A rule carries the fault's number in its id. So several faults are in force at once beside what the plan
says under `psp:`, each is taken away by itself, and what it hits is drawn from the seed and that id: the
same plan hits the same tokens, operations and tries. Of several that would hit one operation the one that
began first does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

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
from paydrill.psp.met import Met
from paydrill.psp.rules import Rule
from paydrill.topology import CLIENT, Topology, UnknownPlace

if TYPE_CHECKING:
    from paydrill.psp.control import PspControl

PspName = Literal["psp", "psp2"]
Operation = Literal["create", "confirm", "capture", "refund", "cancel"]


class PspFault:
    """Declared by every fault of the PSP. Its places are the edges on which the target asks the PSP.

    proven_by: what its witness counts, in the plural
    """

    name: ClassVar[str]
    family: ClassVar[Family] = "psp"
    hits: ClassVar[Hits] = "psp"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    backends: ClassVar[tuple[str, ...]] = ("local", "docker", "attached")
    needs: ClassVar[tuple[str, ...]] = ()
    witnessed_by: ClassVar[WitnessKind] = "journal"
    looks: ClassVar[Looks] = "at its end"
    undo: ClassVar[str] = "the rule is taken away; what it has done to a payment stays done"
    proven_by: ClassVar[str]

    psp: PspName | None

    def places(self, topology: Topology) -> tuple[str, ...]:
        chosen = psps_of(topology, self.psp)
        edges = [e for e in topology.edges if e.server in chosen and e.client != CLIENT]
        return _at_least_one(
            [edge.name for edge in edges], f"nothing of the target asks {' or '.join(chosen)}"
        )

    def rules(self, name: str) -> tuple[Rule, ...]:
        """What the simulator is told; every id begins with `name`."""
        raise NotImplementedError

    def proofs(self, met: Met) -> int:
        """How often it took effect on what one of its rules has met."""
        raise NotImplementedError

    def proven(self, proofs: Sequence[int]) -> bool:
        """Whether that is enough, rule by rule."""
        return any(proofs)

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        controls = {name: stack.psps[name] for name in psps_of(stack.topology, self.psp)}
        rules = self.rules(f"fault {scene.fault_id} {self.name}")
        with rules_in_force(controls, rules):
            yield RulesInForce(self, controls, tuple(rule.id for rule in rules))


class WebhookFault(PspFault):
    """Declared by every fault of the PSP's events. Its places are the edges on which they are told."""

    family: ClassVar[Family] = "webhook"
    expects: ClassVar[Expects] = "most"

    def places(self, topology: Topology) -> tuple[str, ...]:
        chosen = psps_of(topology, self.psp)
        edges = [e.name for e in topology.edges if e.client in chosen]
        return _at_least_one(edges, f"{' and '.join(chosen)} tells nobody of its events")


@dataclass(frozen=True)
class RulesInForce:
    """The rules of one fault at each PSP that it hits."""

    fault: PspFault
    controls: Mapping[str, PspControl]
    rules: tuple[str, ...]

    def witness(self) -> Witness:
        """By what the PSP's journal says has become of requests and events since the injection."""
        met = [[control.met(rule) for control in self.controls.values()] for rule in self.rules]
        proofs = [sum(self.fault.proofs(one) for one in of_rule) for of_rule in met]
        drawn = sum(one.drawn for of_rule in met for one in of_rule)
        told = f"{' + '.join(map(str, proofs))} {self.fault.proven_by} of {drawn} that were drawn"
        return Witness(
            "journal",
            self.fault.proven(proofs),
            f"by the journal of {' and '.join(self.controls)}: {told}",
            {"proofs": float(sum(proofs)), "drawn": float(drawn)},
        )


@contextmanager
def rules_in_force(controls: Mapping[str, PspControl], rules: Iterable[Rule]) -> Iterator[None]:
    """Raises FaultNotApplied, after taking away what had been added."""
    with ExitStack() as heal:
        for name, control in controls.items():
            for rule in rules:
                # Registered before it is added: an addition that failed half-way is removed as well.
                heal.callback(_take_away, name, control, rule.id)
                control.add_rule(rule)
                if rule.id not in control.rules():
                    raise FaultNotApplied(f"{name} was told the rule {rule.id!r} and does not have it")
        yield


def _take_away(name: str, control: PspControl, rule: str) -> None:
    control.remove_rule(rule)
    if rule in control.rules():
        raise FaultNotApplied(f"{name} was told to forget the rule {rule!r} and still has it")


def psps_of(topology: Topology, wanted: str | None) -> tuple[str, ...]:
    """The names of the PSPs that are meant: the one that is named, or all. Raises UnknownPlace."""
    names = [node.name for node in topology.psps]
    if wanted is None:
        return tuple(names)
    if wanted not in names:
        raise UnknownPlace(wanted, names)
    return (wanted,)


def check_share(name: str, share: float) -> None:
    """Raises ValueError for a share of nothing, which could not be seen."""
    if not 0 < share <= 1:
        raise ValueError(f"{name} must be more than 0 and at most 1, got {share:g}")


def check_seconds(name: str, seconds: float, most: float) -> None:
    """Raises ValueError."""
    if not 0 < seconds <= most:
        raise ValueError(f"{name} must be more than 0 and at most {most:g}, got {seconds:g}")


def _at_least_one(places: list[str], otherwise: str) -> tuple[str, ...]:
    if not places:
        raise ValueError(otherwise)
    return tuple(places)
