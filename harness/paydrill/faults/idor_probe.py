"""idor_probe: a customer's right token, and other people's orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import Scene
from paydrill.faults.attack_fault import AttackFault
from paydrill.faults.customer_requests import OrdersSeen, Stranger, Wish
from paydrill.faults.strangers import NextVisit, Visit
from paydrill.growing_file import GrowingFile
from paydrill.run_folder import RunFolder
from paydrill.target import Target
from paydrill.topology import Topology


@dataclass(frozen=True, kw_only=True)
class IdorProbe(AttackFault):
    """Somebody with a right token reads, pays, cancels and refunds the orders of others: the requests that
    `attacks.owned` names. Whose orders there are is taken from what customers were told.

    Each must be refused (4xx; that there is no such order is the best answer). Who lets it happen leaks
    orders (I-35), charges a card that no customer sent (I-06), cancels or gives back what nobody asked for
    (I-43).
    """

    name: ClassVar[str] = "idor_probe"
    summary: ClassVar[str] = "one customer asks for the orders of others"
    example: ClassVar[Mapping[str, object]] = {"rate_per_s": 10.0}

    def check(self, target: Target, topology: Topology) -> None:
        if not target.attacks.owned:
            raise ValueError(
                f"the target {target.name} names no request that only an order's own customer may make (attacks.owned in its target.yaml)"
            )

    def probes(self, scene: Scene) -> NextVisit:
        setup, chance = scene.stack.setup, scene.chance("victims")
        stranger, kinds = Stranger(setup), setup.target.attacks.owned
        seen = [OrdersSeen(GrowingFile(path)) for path in RunFolder(setup.run_dir).histories()]

        def next_visit(number: int) -> Visit | None:
            for history in seen:
                history.read()
            orders = [order for history in seen for order in history.orders.values()]
            if not orders:
                return None
            order, kind = chance.choice(orders), kinds[number % len(kinds)]
            wish = Wish(order_ref=order.ref, amount=order.amount, currency=order.currency)
            return stranger.visit(
                f"{kind} of somebody's order", kind, wish, f"idor-{scene.fault_id}-{number}"
            )

        return next_visit


FAULT = IdorProbe
