"""flash_crowd: everybody wants the same product, of which there is far too little."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.faults import InForce, Scene, Shape, Witness
from paydrill.faults.load_fault import Arriving, LoadFault, arriving

CLASS = "hot_sku"
UNITS = 5
LEAST_SHARE = 0.6
LEAST_SEEN = 3


@dataclass
class Crowding(Arriving):
    rate_per_s: float = 0.0

    def witness(self) -> Witness:
        """So many of the crowd as were to come in the time that they were counted."""
        if not self.counts:
            return Witness("load", False, "the load told of no arrivals", {})
        first, last = self.counts[0], self.counts[-1]
        came, all_came = last.of.get(CLASS, 0) - first.of.get(CLASS, 0), last.started - first.started
        planned = self.rate_per_s * self.watched_s
        share = came / all_came if all_came else 0.0
        return Witness(
            "load",
            came >= max(LEAST_SEEN, LEAST_SHARE * planned),
            f"{came} customers for one product were seen, {planned:.0f} planned: {share:.0%} of all arrivals",
            {"crowd_arrivals": float(came), "crowd_share": round(share, 3)},
        )


@dataclass(frozen=True, kw_only=True)
class FlashCrowd(LoadFault):
    """Besides the mix, `rate` customers of the class `hot_sku` arrive, who all want 5 units of one product.

    The one that the target's catalogue tags `hot`, of which there are few; any of its products, chosen by
    the seed, where it tags none. They are either paid or refused before they were charged.
    """

    name: ClassVar[str] = "flash_crowd"
    summary: ClassVar[str] = "a crowd wants one hot product"
    undo: ClassVar[str] = "the crowd stops coming by itself"
    example: ClassVar[Mapping[str, object]] = {"rate_per_s": 20.0}

    rate_per_s: float

    def shape(self, usual_per_s: float, length_s: float) -> Shape:
        return Shape(crowd_per_s=self.rate_per_s, crowd_of=CLASS, crowd_units=UNITS)

    def inject(self, scene: Scene) -> AbstractContextManager[InForce]:
        return arriving(Crowding(scene.load, rate_per_s=self.rate_per_s))


FAULT = FlashCrowd
